"""
Settings ─► processes that listen, answer and end in time.

    processes    sockets and workers, one or several        lifetime     how a process begins and ends
    sockets      where it listens                           connections  what a client's connection may do
"""
