"""
Noisy text ─► restored text; needs no torch, unless a device of torch is asked for.

    sessions ─► onnx_predictor (or torch_predictor; both keep to predictor); windows ─► alternatives ─► runtime
"""
