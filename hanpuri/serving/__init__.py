"""
A trained model ─► a service on a company's own machine, and a web page that reads reviews.

In:  POST /v1/restore {"text": "확잠실읾 념뭄 잙앙욤"}.   Out: {"text": "화장실이 너무 작아요", "edits": […], …}

    settings, names   what a service is told            running     processes, sockets and a quiet end
    app               one application of all below      guarding    who may come in, how much, and how often
    service           what it holds open                watching    what is logged and counted
    engines           language models, taken in turn    restoring   requests ─► runs of a model ─► restored texts
    asked, faults     what came in, what is refused     chat        OpenAI's form: engines of ours, servers proxied
    comparison        which model is which, signed      feedback    what people corrected, kept and exported
    api               one module an endpoint            page, documentation   files that a browser is given
"""
