/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-types.h"

/* What a session tells the engine; drained with kv_session_next_event(). */
typedef enum {
    KV_EVENT_CLIENT_INFO, /* server: a client introduced itself, answer with kv_session_answer() */
    KV_EVENT_CONFIGURED,  /* client: the server accepted; the fields say with what */
    KV_EVENT_READY, /* both ends said ready, a server: and the client lives: make the device, then
                       kv_session_open_vni() */
    KV_EVENT_RECONFIGURED, /* native: the peer said something new of itself, or began anew */
    KV_EVENT_SESSIONS,     /* native: indexes came or went */
    KV_EVENT_MOVED,        /* native: the peer is elsewhere */
    KV_EVENT_UNANSWERED, /* native: nobody has answered for some seconds, again and again; a client:
                            nor has anything come under its session */
    KV_EVENT_ANSWERED,   /* native client: the server was heard again, after UNANSWERED */
    KV_EVENT_LOST,       /* peer: the association is over, or none came about; native client: nobody
                            answers, but it goes on if somebody does; reason tells why */
    KV_EVENT_REFUSED,    /* client: the server said no; reason tells why; CLOSED follows */
    KV_EVENT_CLOSED,     /* the session is over; reason tells why */
} KvEventType;

typedef enum {
    KV_REASON_NONE,
    KV_REASON_PEER_CLOSED,       /* the peer ended it in good order */
    KV_REASON_TIMEOUT,           /* nothing came for too long */
    KV_REASON_HANDSHAKE_TIMEOUT, /* the handshake took too long */
    KV_REASON_ADDRESS_REJECTED,  /* the server does not grant the address asked for */
    KV_REASON_EXHAUSTED,         /* the server has no address left */
    KV_REASON_PROTOCOL,          /* the peer broke the protocol */
    KV_REASON_LOCAL,             /* this end ended it */
    KV_REASON_NO_MEMORY,
    KV_REASON_REPLACED, /* native: a newer session of the same peer took its place */
    KV_REASON_REMOVED,  /* native: the peer's administrator ended it */
    KV_REASON_OUTDONE,  /* native: the peer has a newer session that is this end's as well */
    KV_REASON_REFUSED,  /* native: the server refused for another reason, which it says */
} KvReason;

/* What a client says of itself. The id holds only bytes a client id may have. */
typedef struct {
    char id[KV_CLIENT_ID_MAX + 1]; /* may be empty */
    uint16_t mtu;                  /* wished interface MTU, 0: no wish */
    KvAddressMode address_mode;
    KvIp4 ip; /* wished address, client-set mode only */
} KvClientInfo;

typedef struct {
    KvEventType type;
    KvReason reason;        /* REFUSED, CLOSED */
    KvClientInfo client;    /* CLIENT_INFO */
    KvNetworkConfig config; /* CONFIGURED, READY: mtu is the lesser of both ends' */
    KvIp4 ip;               /* CONFIGURED, READY: the client's address, 0 in mode "other" */
} KvEvent;

/* What the server says to a client that introduced itself. */
typedef enum {
    KV_ANSWER_ACCEPT,
    KV_ANSWER_REJECT,    /* the address asked for is not granted */
    KV_ANSWER_EXHAUSTED, /* no address left */
} KvAnswerType;

typedef struct {
    KvAnswerType type;
    KvIp4 ip; /* mode "assigned": the client's address */
    KvNetworkConfig config;
} KvAnswer;

/* (transfer none): an English sentence part such as "no answer from the peer". */
const char *kv_reason_to_string(KvReason reason);
