"""
What the compact model has to beat: older ways to restore, trained on the same texts and the same noise.

In:  clean text and the noise generator of hanpuri. Out: two engines that `hanpuri.evaluation` can run:

    viterbi    counts of syllables and of letters that turn into letters, searched from left to right; numpy alone
    bilstm     a recurrent network that labels every syllable

The first two places of the 2025 review-restoration competition went to a language model and to a network that labels
syllables; statistics with a Viterbi search were published for it too.
"""
