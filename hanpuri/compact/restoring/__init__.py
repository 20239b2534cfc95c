"""
Noisy text ─► restored text; needs no torch, unless a device of torch is asked for.

    runtime opens: sessions ─► onnx_predictor (or torch_predictor, packed, mean_predictor; all keep to predictor)
    and restores:  labelling: windows ─► a predictor ─► doubts (phrases, alternatives) ─► restoration
"""
