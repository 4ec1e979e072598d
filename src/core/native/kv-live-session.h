/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-replay.h"
#include "kv-seal.h"
#include "kv-stats.h"
#include "kv-time.h"
#include "native/kv-native-keys.h"

/* Limits of one session: docs/protocol.md, sections 8 and 13. */
#define KV_LIVE_SESSION_REKEY  (120 * KV_TIME_S)
#define KV_LIVE_SESSION_REJECT (180 * KV_TIME_S)
#define KV_LIVE_SESSION_FORGED (UINT64_C(1) << 36) /* datagrams that fail to open */

/**
 * KvLiveSession:
 *
 * The keys that one handshake gave, at work: what is sealed and opened under one pair of indexes,
 * each counter once. An association (#KvTransport) has up to three; one that is half open stands
 * alone. Visible, so that tests can begin at an edge; others use the verbs. One thread at a time.
 */
typedef struct {
    KvIndexTable *indexes; /* (nullable): where @local_index goes back to */
    uint32_t local_index;
    uint32_t remote_index;
    gboolean initiator; /* this end began the handshake */
    KvTime born;
    uint64_t next_counter; /* of what is sent */
    uint64_t forged;       /* datagrams that did not open */
    KvReplay replay;
    KvSeal *send;
    KvSeal *receive;
    KvOuterKeys remote_outer;
    uint8_t remote_public[KV_OUTER_KEY_BYTES];
    uint8_t remote_token[KV_SEAL_TOKEN_BYTES];
} KvLiveSession;

/* (transfer full): the session of @keys, which the caller still wipes; it takes over the index. */
KvLiveSession *kv_live_session_new(KvNativeKeys *keys, KvTime now) KV_MUST_USE;
/* Wipes all keys, and gives back the index. */
void kv_live_session_free(KvLiveSession *session);

/* Whether it may still be used at all. */
gboolean kv_live_session_is_usable(const KvLiveSession *session, KvTime now);

/**
 * kv_live_session_seal:
 * @datagram: %KV_SEAL_HEAD_BYTES of room, @len bytes of plaintext, %KV_SEAL_TAG_BYTES of room
 *
 * Returns: length of the datagram. The session must be usable.
 */
size_t kv_live_session_seal(KvLiveSession *session, uint8_t *datagram, size_t len);

/**
 * kv_live_session_open:
 * @head: of @datagram, naming this session
 * @plain: (out caller-allocates): @len less %KV_SEAL_OVERHEAD bytes; may be in place, behind the
 *   head
 * @newest: (out): its counter is greater than all before
 *
 * Returns: %KV_DROP_NONE if the datagram is true and came for the first time; otherwise nothing
 * has changed.
 */
KvDrop kv_live_session_open(KvLiveSession *session, const KvSealHead *head, const uint8_t *datagram,
                            size_t len, uint8_t *plain, gboolean *newest, KvTime now) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvLiveSession, kv_live_session_free)
