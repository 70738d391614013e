"""The flags of commands, of gates, of sessions and of tracking as Python numbers; engine.pxd and tracking.pxd
explain them."""

from minikv_core cimport engine, tracking

WRITE = <int>engine.WRITE
READONLY = <int>engine.READONLY
DENYOOM = <int>engine.DENYOOM
ADMIN = <int>engine.ADMIN
PUBSUB = <int>engine.PUBSUB
NOSCRIPT = <int>engine.NOSCRIPT
BLOCKING = <int>engine.BLOCKING
LOADING = <int>engine.LOADING
STALE = <int>engine.STALE
SKIP_MONITOR = <int>engine.SKIP_MONITOR
SKIP_SLOWLOG = <int>engine.SKIP_SLOWLOG
FAST = <int>engine.FAST
NO_AUTH = <int>engine.NO_AUTH
MAY_REPLICATE = <int>engine.MAY_REPLICATE
NO_ASYNC_LOADING = <int>engine.NO_ASYNC_LOADING
NO_MULTI = <int>engine.NO_MULTI
ALLOW_BUSY = <int>engine.ALLOW_BUSY
MOVABLE_KEYS = <int>engine.MOVABLE_KEYS
TOUCHES_ARBITRARY_KEYS = <int>engine.TOUCHES_ARBITRARY_KEYS
IN_MULTI = <int>engine.IN_MULTI
IN_SUBSCRIBE = <int>engine.IN_SUBSCRIBE
IN_PAUSE = <int>engine.IN_PAUSE
RUNS_QUEUE = <int>engine.RUNS_QUEUE

NEED_AUTH = <int>engine.NEED_AUTH
QUEUEING = <int>engine.QUEUEING
SUBSCRIBED = <int>engine.SUBSCRIBED
REPLY_OFF = <int>engine.REPLY_OFF
REPLY_SKIP = <int>engine.REPLY_SKIP
REPLY_SKIP_NEXT = <int>engine.REPLY_SKIP_NEXT
CLOSE_AFTER = <int>engine.CLOSE_AFTER
CLOSE_NOW = <int>engine.CLOSE_NOW
WAITING = <int>engine.WAITING
STOP = <int>engine.STOP

IS_UNIX = <int>engine.IS_UNIX
IS_MONITOR = <int>engine.IS_MONITOR
IS_NO_EVICT = <int>engine.IS_NO_EVICT
IS_NO_TOUCH = <int>engine.IS_NO_TOUCH
IS_INTERNAL = <int>engine.IS_INTERNAL
IS_PUBSUB = <int>engine.IS_PUBSUB
IN_READY = <int>engine.IN_READY
DIRTY_EXEC = <int>engine.DIRTY_EXEC
IS_PAUSED = <int>engine.IS_PAUSED
IN_EXEC = <int>engine.IN_EXEC
WANTS_WRITE = <int>engine.WANTS_WRITE

TRACK_BCAST = <int>tracking.TRACK_BCAST
TRACK_OPTIN = <int>tracking.TRACK_OPTIN
TRACK_OPTOUT = <int>tracking.TRACK_OPTOUT
TRACK_NOLOOP = <int>tracking.TRACK_NOLOOP
TRACK_CACHING = <int>tracking.TRACK_CACHING
TRACK_BROKEN = <int>tracking.TRACK_BROKEN

EVENT_KEYSPACE = <int>engine.EVENT_KEYSPACE
EVENT_KEYEVENT = <int>engine.EVENT_KEYEVENT
EVENT_GENERIC = <int>engine.EVENT_GENERIC
EVENT_STRING = <int>engine.EVENT_STRING
EVENT_LIST = <int>engine.EVENT_LIST
EVENT_SET = <int>engine.EVENT_SET
EVENT_HASH = <int>engine.EVENT_HASH
EVENT_ZSET = <int>engine.EVENT_ZSET
EVENT_EXPIRED = <int>engine.EVENT_EXPIRED
EVENT_EVICTED = <int>engine.EVENT_EVICTED
EVENT_STREAM = <int>engine.EVENT_STREAM
EVENT_MISS = <int>engine.EVENT_MISS
EVENT_MODULE = <int>engine.EVENT_MODULE
EVENT_NEW = <int>engine.EVENT_NEW
EVENT_OVERWRITTEN = <int>engine.EVENT_OVERWRITTEN
EVENT_TYPE_CHANGED = <int>engine.EVENT_TYPE_CHANGED
