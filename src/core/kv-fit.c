/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-fit.h"

#include "kv-mss.h"

void
kv_fit_init(KvFit *fit)
{
    *fit = (KvFit){
        .answers = {.interval = KV_TIME_S / KV_FIT_ANSWERS_RATE, .burst = KV_FIT_ANSWERS_BURST},
    };
}

static KvDrop
refuse(KvFit *fit, KvVniMode mode, const uint8_t *packet, size_t len, KvTime now, uint8_t *answer,
       size_t *answer_len)
{
    *answer_len = kv_too_big_answer(mode, packet, len, fit->mtu, &fit->answers, now, answer);
    return KV_DROP_TOO_BIG;
}

KvDrop
kv_fit_send(KvFit *fit, KvVniMode mode, uint8_t *packet, size_t len, KvTime now, uint8_t *answer,
            size_t *answer_len)
{
    *answer_len = 0;
    if (fit->mtu != 0 && kv_too_big_applies(mode, packet, len, len, fit->mtu))
        return refuse(fit, mode, packet, len, now, answer, answer_len);
    if (fit->packet_max != 0)
        kv_mss_clamp(mode, packet, len, fit->packet_max);
    return KV_DROP_NONE;
}

KvDrop
kv_fit_send_super(KvFit *fit, KvVniMode mode, const KvGsoCutter *cutter, uint8_t *packet,
                  size_t len, KvTime now, uint8_t *answer, size_t *answer_len)
{
    size_t longest = kv_gso_cutter_get_longest(cutter);

    if (longest == len)
        return kv_fit_send(fit, mode, packet, len, now, answer, answer_len);
    *answer_len = 0;
    /* What opens a connection is never a super-packet. */
    if (fit->mtu != 0 && kv_too_big_applies(mode, packet, len, longest, fit->mtu))
        return refuse(fit, mode, packet, len, now, answer, answer_len);
    return KV_DROP_NONE;
}

void
kv_fit_receive(const KvFit *fit, KvVniMode mode, uint8_t *packet, size_t len)
{
    if (fit->packet_max != 0)
        kv_mss_clamp(mode, packet, len, fit->packet_max);
}
