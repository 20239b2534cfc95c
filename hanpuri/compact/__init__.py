"""
Our own restorer: a small encoder that labels every syllable of a noisy text with the syllable that stood there.

    settings    the recipe of a training          corpus, noising     text ─► windows ─► noisy examples
    vocabulary  text ─► features, labels ─► text  network, optimizer  the encoder and what moves its weights
    training    the loop                          inference           the network as a predictor, in torch
    export      the network ─► quantised ONNX     onnx_predictor      the same as a predictor, without torch
    model_files a model's folder, checked         runtime             noisy text ─► restored text
"""
