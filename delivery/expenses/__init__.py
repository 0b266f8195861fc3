"""A company's supplier invoices on their way from Fortnox to Moment.

`lister` queues those that changed, `reader` reads one and decides what each row becomes, `applier` makes Moment agree
and records it, `sync` takes one after the other from the queue, and `failures` reports what needs a person. The queue
is in Redis: after a crash another process goes on with it.
"""
