"""
The quantised ONNX file as a predictor, on the CPU: all that restoring needs at run time.

In:  features (B, T, 6).   Out: labels (B, T) and their probabilities, or the scores of all labels.
"""

import numpy as np

from hanpuri.compact.model_files import ModelFiles
from hanpuri.compact.restoring.predictor import Confidences, Features, Scored
from hanpuri.compact.restoring.sessions import Session, open_files
from hanpuri.compact.vocabulary import Vocabulary
from hanpuri.errors import ModelError
from hanpuri.hangul import Indices


class OnnxPredictor:
    """An onnxruntime session that may be called from many threads."""

    # More items in a batch do not fit the processor's cache.
    batch_items = 256

    def __init__(self, session: Session, vocabulary: Vocabulary) -> None:
        self.session, self.vocabulary = session, vocabulary

    @classmethod
    def load(cls, files: ModelFiles, threads: int = 1) -> "OnnxPredictor":
        """
        Load a model's network and vocabulary; `threads` as for `open_files`.

        Raises:
            ModelError: if one of the two cannot be read, or they are not of one model.
        """
        session, vocabulary = open_files(files, Vocabulary.load, threads)
        answers = {one.name: one.shape for one in session.get_outputs()}
        if "scores" not in answers:
            raise ModelError(f"{files.folder} holds a model that edits", "it is used by --reach wide; name another")
        num_labels = answers["scores"][-1]
        if num_labels != vocabulary.num_labels:
            raise ModelError(
                f"{files.vocabulary} has {vocabulary.num_labels} labels, {files.network.name} has {num_labels}",
                "copy both files from the same model",
            )
        return cls(session, vocabulary)

    def predict(self, features: Features) -> tuple[Indices, Confidences]:
        """Take the most probable label of each item: by numpy, which finds the largest faster than onnxruntime."""
        labels, confidences, _ = self.predict_scored(features)
        return labels, confidences

    def predict_scored(self, features: Features) -> Scored:
        """Take the most probable label of each item, and give the scores of all."""
        scores, confidences = self.session.run(["scores", "confidences"], {"features": features})
        return scores.argmax(-1), confidences, scores

    def score(self, features: Features) -> Confidences:
        """Give the scores of all labels, (B, T, num_labels)."""
        scores: Confidences = self.session.run(["scores"], {"features": features})[0]
        return np.array(scores)
