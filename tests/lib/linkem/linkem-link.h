/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "linkem-settings.h"

#include <stddef.h>
#include <stdio.h>

/**
 * LinkemLink:
 *
 * One direction of the emulated link: frames come from one TAP descriptor, meet the model of a
 * bad link and leave by another when they are due:
 *
 *   frame -> [down, maxlen] -> [rate and its tail-drop queue] -> [loss] -> [corruption]
 *         -> [ECN field] -> [duplication] -> [delay, jitter, reordering] -> frame
 *
 * Every random decision is a hash of (seed, direction, frame number, purpose), so the n-th frame
 * of a direction meets the same fate in every run with the same settings. Locked inside: any
 * thread may change settings while one thread steps it.
 */
typedef struct _LinkemLink LinkemLink;

typedef struct {
    const char *name; /* of the direction, for the counters; outlives the link */
    int id;           /* 0 or 1: the two directions roll different dice */
    int in, out;      /* non-blocking TAP descriptors, not owned */
    uint64_t seed;
    size_t frame_max; /* bytes of the largest frame */
    size_t held_max;  /* frames held at most */
    unsigned burst;   /* frames read in one step */
} LinkemLinkConfig;

/* NULL without memory. */
LinkemLink *linkem_link_new(const LinkemLinkConfig *config);
void linkem_link_free(LinkemLink *link);

/**
 * linkem_link_step:
 * @more: (out): whether to call again at once
 *
 * One non-blocking turn. Returns: when it next has work, in ns of CLOCK_MONOTONIC, or UINT64_MAX.
 */
uint64_t linkem_link_step(LinkemLink *link, bool *more);

/* Sets one key, see linkem_settings_set(). */
bool linkem_link_set(LinkemLink *link, const char *key, const char *value);
void linkem_link_clear(LinkemLink *link);  /* a perfect link */
void linkem_link_rewind(LinkemLink *link); /* the next frame is frame 1 */
void linkem_link_zero_counters(LinkemLink *link);

/* One JSON object on a line; @seconds is the age of the link. */
void linkem_link_print(LinkemLink *link, FILE *file, double seconds);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t linkem_now(void);
