/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-replay.h"

static uint64_t
get_word(uint64_t counter)
{
    return counter / 64;
}

static uint64_t
get_bit(uint64_t counter)
{
    return UINT64_C(1) << (counter % 64);
}

gboolean
kv_replay_may_pass(const KvReplay *replay, uint64_t counter)
{
    if (counter >= replay->next)
        return counter < G_MAXUINT64 - 1;
    if (replay->next - 1 - counter >= KV_REPLAY_WINDOW)
        return FALSE;
    return (replay->ring[get_word(counter) % KV_REPLAY_WORDS] & get_bit(counter)) == 0;
}

void
kv_replay_note(KvReplay *replay, uint64_t counter)
{
    uint64_t word = get_word(counter);

    if (counter >= replay->next) {
        uint64_t newest = replay->next == 0 ? 0 : get_word(replay->next - 1);
        uint64_t fresh = MIN(word - newest, KV_REPLAY_WORDS);

        for (uint64_t i = 0; i < fresh; i++)
            replay->ring[(word - i) % KV_REPLAY_WORDS] = 0;
        replay->next = counter + 1;
    }
    replay->ring[word % KV_REPLAY_WORDS] |= get_bit(counter);
}
