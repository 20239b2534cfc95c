"""
Our own restorer: a small encoder that labels every syllable of a noisy text with the syllable that stood there.

    to train      settings, corpus, noising ─► embedding, network, loss ─► optimizer, averaging, schedule, graph
                  ─► trainer, training, weights ─► export
    to restore    model_files, vocabulary, windows ─► onnx_predictor (or torch_predictor) ─► runtime
"""
