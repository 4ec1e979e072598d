/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-v1.h"

#include "v1/kv-v1-private.h"

#define FRAME_OVERHEAD 22 /* packet information, Ethernet header, VLAN tag */

static KvEvent *
push_event(KvV1 *v1, KvEventType type)
{
    KvEvent *event = &v1->events[(v1->first_event + v1->n_events) % KV_V1_EVENTS_MAX];

    /* A session has three at the most in its whole life. */
    g_assert(v1->n_events < KV_V1_EVENTS_MAX);
    v1->n_events++;
    *event = (KvEvent){.type = type};
    return event;
}

void
kv_v1_finish(KvV1 *v1, KvReason reason)
{
    if (v1->state == KV_V1_CLOSED)
        return;
    v1->state = KV_V1_CLOSED;
    v1->reason = reason;
    /* The acknowledgement of the peer's farewell still goes out. */
    v1->flush_due = TRUE;
    push_event(v1, KV_EVENT_CLOSED)->reason = reason;
}

void
kv_v1_linger(KvV1 *v1, KvReason reason, KvTime how_long, KvTime now)
{
    if (v1->state >= KV_V1_CLOSING)
        return;
    v1->state = KV_V1_CLOSING;
    v1->reason = reason;
    kv_kcp_hurry(v1->kcp);
    v1->linger_deadline = kv_time_add(now, how_long);
}

gboolean
kv_v1_write(KvV1 *v1, const KvSlice *slices, guint n)
{
    if (!kv_kcp_send(v1->kcp, slices, n))
        return FALSE;
    v1->flush_due = TRUE;
    return TRUE;
}

void
kv_v1_write_header(KvV1 *v1, KvV1MuxCmd cmd, uint32_t id)
{
    uint8_t header[KV_V1_MUX_HEADER_BYTES];
    KvSlice slice = {header, sizeof header};

    kv_v1_mux_put_header(header, cmd, 0, id);
    if (!kv_v1_write(v1, &slice, 1))
        kv_v1_finish(v1, KV_REASON_NO_MEMORY);
}

/* A Go peer takes one frame for one message. */
static void
write_control(KvV1 *v1, const KvV1Control *message)
{
    uint8_t header[KV_V1_MUX_HEADER_BYTES];
    uint8_t body[KV_V1_CONTROL_MAX];
    KvSlice slices[] = {{header, sizeof header}, {body, kv_v1_control_encode(message, body)}};

    kv_v1_mux_put_header(header, KV_V1_MUX_PSH, (uint16_t) slices[1].len, v1->control_id);
    if (!kv_v1_write(v1, slices, G_N_ELEMENTS(slices)))
        kv_v1_finish(v1, KV_REASON_NO_MEMORY);
}

static void
push_network_event(KvV1 *v1, KvEventType type)
{
    KvEvent *event = push_event(v1, type);

    event->config = v1->network;
    event->ip = v1->ip;
}

/* Keeps the configuration as it is in force: the lesser MTU, and a frame size that is not 0. */
static void
set_network(KvV1 *v1, const KvNetworkConfig *config, KvIp4 ip)
{
    v1->network = *config;
    if (v1->network.full_frame_mtu == 0)
        v1->network.full_frame_mtu = (uint16_t) MIN(config->mtu + FRAME_OVERHEAD, UINT16_MAX);
    if (v1->client.mtu != 0)
        v1->network.mtu = MIN(config->mtu, v1->client.mtu);
    v1->ip = ip;
}

static void
become_ready(KvV1 *v1, KvTime now)
{
    gboolean is_server = v1->config.role == KV_ROLE_SERVER;

    if (v1->state == KV_V1_CLOSED)
        return;
    v1->state = KV_V1_READY;
    v1->handshake_deadline = is_server && v1->vni_id == 0
                                 ? kv_time_add(now, v1->config.handshake_timeout)
                                 : KV_TIME_NEVER;
    push_network_event(v1, KV_EVENT_READY);
}

static void
handle_refusal(KvV1 *v1, KvReason reason, KvTime now)
{
    push_event(v1, KV_EVENT_REFUSED)->reason = reason;
    kv_v1_write_header(v1, KV_V1_MUX_FIN, v1->control_id);
    kv_v1_linger(v1, reason, KV_V1_CLOSE_LINGER, now);
}

static void
handle_server_message(KvV1 *v1, const KvV1Control *message, KvTime now)
{
    static const KvV1ControlType wanted[] = {
        [KV_ADDRESS_MODE_ASSIGNED] = KV_V1_CONTROL_ASSIGNED,
        [KV_ADDRESS_MODE_CLIENT_SET] = KV_V1_CONTROL_ACCEPTED,
        [KV_ADDRESS_MODE_OTHER] = KV_V1_CONTROL_CONFIGURATION,
    };
    KvAddressMode mode = v1->client.address_mode;

    if (v1->state == KV_V1_WAIT_READY && message->type == KV_V1_CONTROL_SERVER_READY) {
        become_ready(v1, now);
    } else if (v1->state != KV_V1_WAIT_ANSWER) {
        kv_v1_finish(v1, KV_REASON_PROTOCOL);
    } else if (message->type == KV_V1_CONTROL_REJECTED) {
        handle_refusal(v1, KV_REASON_ADDRESS_REJECTED, now);
    } else if (message->type == KV_V1_CONTROL_EXHAUSTED) {
        handle_refusal(v1, KV_REASON_EXHAUSTED, now);
    } else if (message->type != wanted[mode]) {
        kv_v1_finish(v1, KV_REASON_PROTOCOL);
    } else {
        set_network(v1, &message->config,
                    mode == KV_ADDRESS_MODE_CLIENT_SET ? v1->client.ip : message->ip);
        v1->state = KV_V1_WAIT_READY;
        push_network_event(v1, KV_EVENT_CONFIGURED);
        write_control(v1, &(KvV1Control){.type = KV_V1_CONTROL_CLIENT_READY});
    }
}

void
kv_v1_check_echo(KvV1 *v1, KvTime now)
{
    KvKcpState kcp;

    if (v1->state != KV_V1_WAIT_ECHO)
        return;
    kv_kcp_get_state(v1->kcp, &kcp);
    if (kcp.echoes > 0)
        become_ready(v1, now);
    else if (kv_kcp_get_waiting(v1->kcp) == 0)
        /* The acks that would have shown it were lost, and others spoke for them: ask for one. */
        kv_v1_write_header(v1, KV_V1_MUX_NOP, 0);
}

static void
handle_client_message(KvV1 *v1, const KvV1Control *message, KvTime now)
{
    if (v1->state == KV_V1_WAIT_INFO && message->type == KV_V1_CONTROL_CLIENT_INFO) {
        v1->client = message->client;
        v1->state = KV_V1_WAIT_ANSWER;
        push_event(v1, KV_EVENT_CLIENT_INFO)->client = v1->client;
    } else if (v1->state == KV_V1_WAIT_READY && message->type == KV_V1_CONTROL_CLIENT_READY) {
        write_control(v1, &(KvV1Control){.type = KV_V1_CONTROL_SERVER_READY});
        if (v1->state != KV_V1_CLOSED)
            v1->state = KV_V1_WAIT_ECHO;
        kv_v1_check_echo(v1, now);
    } else {
        kv_v1_finish(v1, KV_REASON_PROTOCOL);
    }
}

/* Once both ends are ready nothing more is said here: what comes is ignored, as a Go peer does. */
void
kv_v1_read_control(KvV1 *v1, KvTime now)
{
    while (v1->state < KV_V1_WAIT_ECHO) {
        KvV1Control message;
        size_t used = 0;

        switch (kv_v1_control_decode(v1->control, v1->control_len, &message, &used)) {
        case KV_V1_CONTROL_MORE:
            return;
        case KV_V1_CONTROL_BAD:
            kv_v1_finish(v1, KV_REASON_PROTOCOL);
            return;
        default:
            break;
        }
        v1->control_len -= used;
        memmove(v1->control, v1->control + used, v1->control_len);
        if (v1->config.role == KV_ROLE_SERVER)
            handle_client_message(v1, &message, now);
        else
            handle_server_message(v1, &message, now);
    }
    v1->control_len = 0;
}

void
kv_v1_start_client(KvV1 *v1)
{
    KvV1Control info = {.type = KV_V1_CONTROL_CLIENT_INFO, .client = v1->client};

    v1->state = KV_V1_WAIT_ANSWER;
    v1->control_id = kv_v1_mux_open(&v1->mux);
    kv_v1_write_header(v1, KV_V1_MUX_SYN, v1->control_id);
    if (v1->state != KV_V1_CLOSED)
        write_control(v1, &info);
}

gboolean
kv_v1_next_event(KvV1 *v1, KvEvent *event)
{
    if (v1->n_events == 0)
        return FALSE;
    *event = v1->events[v1->first_event];
    v1->first_event = (v1->first_event + 1) % KV_V1_EVENTS_MAX;
    v1->n_events--;
    return TRUE;
}

void
kv_v1_answer(KvV1 *v1, const KvAnswer *answer, KvTime now)
{
    KvAddressMode mode = v1->client.address_mode;
    KvV1Control message = {.type = KV_V1_CONTROL_CONFIGURATION};
    KvIp4 ip = 0;

    g_return_if_fail(v1->config.role == KV_ROLE_SERVER);
    /* The session may have ended while the engine made up its mind. */
    if (v1->state != KV_V1_WAIT_ANSWER)
        return;
    if (answer->type != KV_ANSWER_ACCEPT) {
        gboolean is_rejected = answer->type == KV_ANSWER_REJECT;

        message.type = is_rejected ? KV_V1_CONTROL_REJECTED : KV_V1_CONTROL_EXHAUSTED;
        write_control(v1, &message);
        kv_v1_linger(v1, is_rejected ? KV_REASON_ADDRESS_REJECTED : KV_REASON_EXHAUSTED,
                     KV_V1_REFUSAL_LINGER, now);
        return;
    }
    if (mode == KV_ADDRESS_MODE_ASSIGNED) {
        message.type = KV_V1_CONTROL_ASSIGNED;
        ip = answer->ip;
    } else if (mode == KV_ADDRESS_MODE_CLIENT_SET) {
        message.type = KV_V1_CONTROL_ACCEPTED;
        ip = v1->client.ip;
    }
    set_network(v1, &answer->config, ip);
    message.ip = ip;
    message.config = v1->network;
    message.config.mtu = answer->config.mtu;
    v1->state = KV_V1_WAIT_READY;
    write_control(v1, &message);
}

void
kv_v1_open_vni(KvV1 *v1, KvTime now)
{
    if (v1->state != KV_V1_READY)
        return;
    v1->state = KV_V1_OPEN;
    if (v1->config.role == KV_ROLE_SERVER)
        return;
    v1->vni_id = kv_v1_mux_open(&v1->mux);
    if (v1->vni_id == 0)
        kv_v1_finish(v1, KV_REASON_PROTOCOL);
    else
        kv_v1_write_header(v1, KV_V1_MUX_SYN, v1->vni_id);
}

void
kv_v1_close(KvV1 *v1, KvTime now)
{
    if (v1->state == KV_V1_CLOSED)
        return;
    if (v1->state == KV_V1_CLOSING || v1->control_id == 0) {
        kv_v1_finish(v1, v1->state == KV_V1_CLOSING ? v1->reason : KV_REASON_LOCAL);
        return;
    }
    if (v1->vni_id != 0)
        kv_v1_write_header(v1, KV_V1_MUX_FIN, v1->vni_id);
    if (v1->state != KV_V1_CLOSED)
        kv_v1_write_header(v1, KV_V1_MUX_FIN, v1->control_id);
    kv_v1_linger(v1, KV_REASON_LOCAL, KV_V1_CLOSE_LINGER, now);
}
