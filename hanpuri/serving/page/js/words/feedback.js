/* Words of what people send in. */

export const words = {
  "feedback.title": { ko: "결과가 어땠나요?", en: "How was it?" },
  "feedback.what": {
    ko: "틀린 곳이 있으면 위에서 고친 뒤 보내 주세요. 보내면 꼬인 글과 되살린 글이 이 서비스를 운영하는 곳에 남아요. 이 페이지를 닫기 전에는 언제든 지울 수 있어요.",
    en: "If something is wrong, correct it above, then send it. What you send, the text and its restoration, is kept by whoever runs this service. You can delete it until you close this page.",
  },
  "feedback.consent": {
    ko: "보낸 글을 모델 학습에 써도 좋아요. (체크하지 않으면 학습에 쓰지 않아요.)",
    en: "Models may be trained on what I send. (Without this, nothing is trained on it.)",
  },
  "feedback.accept": { ko: "맞아요", en: "It is right" },
  "feedback.correct": { ko: "고친 글 보내기", en: "Send my correction" },
  "feedback.forget": { ko: "보낸 것 모두 지우기 ({count})", en: "Delete what I sent ({count})" },
  "feedback.sent": { ko: "고마워요, 잘 받았어요. 접수 번호: {id}", en: "Thank you, it has arrived. Its number: {id}" },
  "feedback.forgotten": { ko: "보낸 것을 모두 지웠어요.", en: "What you sent has been deleted." },
  "feedback.failed": { ko: "보내지 못했어요.", en: "It could not be sent." },
};
