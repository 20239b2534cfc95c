"""
Servers that speak the protocol of OpenAI: vLLM, llama.cpp, ollama, hosted ones.

In: an address and rows. Out: an answer each, or why there is none. Of one row:

    finding     http://127.0.0.1:8000/v1   ─►  Served("qwen3", kind="vllm", positions=8192)
    ways        {"noisy": "념뭄"}          ─►  {"messages": [{"role": "user", "content": "…\\n\\n념뭄"}]}
    asking      Decoding()                 ─►  {"temperature": 0.0, "max_tokens": 256, …}
    connection  sends both                 ─►  {"choices": [{"message": {"content": "너무"}, …}], …}
    patience    tries again while that may help: a reply, or a Fault that was not to be mended
    replies     reads it                   ─►  Reply("너무", 4, 41, finished=True)
    exchange    checks it                  ─►  Answer("너무", 3, finished=True, num_prompt_tokens=41)
    requests    does so for many rows at a time, and counts what it costs

HTTP is spoken with `httpx2` itself: what the library `openai` would add, its retries, cannot be counted, and a reply
that is none (an HTML page, no choices) passes through it unseen.
"""
