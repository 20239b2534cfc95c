import subprocess
import sys

LOADED = "import sys, hanpuri.training.reinforcement.loops; print('trackio' in sys.modules)"


# It settles where its files go when it is imported, which is before a run knows its trackers.
def test_trackio_is_not_loaded_with_the_trainers():
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
