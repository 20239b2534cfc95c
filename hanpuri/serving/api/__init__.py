"""One module an endpoint; what they answer with lies in the rooms that they call."""
