/* Words round the tabs: the head, the key, what went wrong. */

export const words = {
  "shell.title": { ko: "한풀이: 꼬인 한글 되살리기", en: "Hanpuri: restore obfuscated Korean" },
  "shell.name": { ko: "한풀이", en: "Hanpuri" },
  "shell.tagline": { ko: "일부러 꼬아 쓴 한글, 다시 읽히게 풀어 드려요.", en: "Untangles Korean that was written to be unreadable." },
  "shell.skip": { ko: "본문으로 건너뛰기", en: "Skip to the content" },
  "shell.other_language": { ko: "English", en: "한국어" },
  "shell.tabs": { ko: "하려는 일", en: "What to do" },
  "shell.restore": { ko: "되살리기", en: "Restore" },
  "shell.obfuscate": { ko: "꼬아 쓰기", en: "Obfuscate" },
  "shell.compare": { ko: "비교", en: "Compare" },
  "shell.privacy": {
    ko: "글은 이 서비스로만 보내요. 이 페이지는 글을 저장하지 않아요.",
    en: "Texts go to this service alone. This page stores none of them.",
  },
  "shell.docs": { ko: "개발자 문서", en: "For developers" },
  "shell.version": { ko: "버전 {version}", en: "Version {version}" },

  "key.title": { ko: "API 키가 필요해요", en: "An API key is needed" },
  "key.why": {
    ko: "이 서비스는 API 키가 있어야 쓸 수 있어요. 키는 이 탭을 닫을 때까지만 기억해요.",
    en: "This service is for people with an API key. The key is remembered until you close this tab.",
  },
  "key.label": { ko: "API 키", en: "API key" },
  "key.send": { ko: "확인", en: "Go on" },
  "key.wrong": { ko: "맞지 않는 키예요. 다시 확인해 주세요.", en: "That key does not fit. Please check it." },

  "notice.busy": {
    ko: "지금은 요청이 많아요. {seconds}초 뒤에 다시 해 볼게요.",
    en: "The service is busy. Trying again in {seconds} s.",
  },
  "notice.away": {
    ko: "서비스에 연결되지 않아요. 다시 연결되면 하던 일을 이어서 할게요.",
    en: "The service cannot be reached. It goes on by itself once it is back.",
  },

  "fault.400": { ko: "서비스가 요청을 이해하지 못했어요.", en: "The service did not understand the request." },
  "fault.403": { ko: "이 주소에서는 이 서비스를 쓸 수 없어요.", en: "The service may not be used from this address." },
  "fault.404": { ko: "요청한 것을 서비스에서 찾지 못했어요.", en: "The service does not have what was asked for." },
  "fault.408": { ko: "글을 보내는 데 너무 오래 걸렸어요.", en: "Sending the text took too long." },
  "fault.409": { ko: "같은 번호로 다른 내용이 이미 들어와 있어요.", en: "Something else has arrived under the same number." },
  "fault.413": { ko: "글이 너무 길어서 서비스가 받지 않았어요.", en: "The text is longer than the service takes." },
  "fault.422": { ko: "이 글은 처리하지 못했어요. 글을 줄이거나 다른 모델을 골라 보세요.", en: "The service could not work with this text. Try a shorter one, or another model." },
  "fault.429": { ko: "요청이 많아서 지금은 안 돼요. 잠시 뒤에 다시 해 주세요.", en: "The service is too busy. Please try again later." },
  "fault.500": { ko: "서비스에 문제가 생겼어요. 잠시 뒤에 다시 해 주세요.", en: "The service has a problem. Please try again later." },
};
