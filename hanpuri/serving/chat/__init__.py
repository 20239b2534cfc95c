"""
Chat in OpenAI's form, with every engine that can: from a request to its answer, whole or in pieces.

In: {"model": "faq", "messages": [{"role": "user", "content": "주차장이 있나요?"}]}, and the engines of a service.
Out: {"object": "chat.completion", "choices": [{"message": {"role": "assistant", "content": "네, 두 대까지 …"}, …}], …}

    request     what a client may ask, checked field by field
    faults      what it is told when it gets no answer, in the form that OpenAI's clients read
    replies     what it is told when it gets one: a completion, or the chunks of a stream
    answering   engines of ours: the model is asked as it was trained, and stops when the client has gone
    proxying    engines that are servers: the request is passed on, and the answer back, piece by piece
    opening     which of the two an engine is; what restores and does not chat is neither
"""
