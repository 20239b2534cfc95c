"""
Our own restorer: a small encoder that labels every syllable of a noisy text with the syllable that stood there.

    to describe it   settings, vocabulary, embedding, network
    to keep it       weights (of a run), model_files (as shipped), shipped_weights (back from the shipped file)
    learning/        clean text ─► a run's weights ─► the quantised file
    restoring/       a model's files ─► restored texts
    editing/         the network with edit labels, and all that `--reach wide` does around it
    adapting/        a user's own texts ─► a shipped model that knows their words
"""
