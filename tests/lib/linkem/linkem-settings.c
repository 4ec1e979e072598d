/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "linkem-settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
parse_share(const char *text, double *share)
{
    char *end;

    *share = strtod(text, &end) / 100.0; /* "5" and "5%" both mean five per cent */
    return end != text && *share >= 0 && *share <= 1;
}

static bool
parse_time(const char *text, int64_t *ns)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text)
        return false;
    if (strncmp(end, "us", 2) == 0)
        value *= 1e3;
    else if (*end == 's')
        value *= 1e9;
    else if (strncmp(end, "ns", 2) != 0)
        value *= 1e6; /* bare numbers are milliseconds */
    *ns = (int64_t) value;
    return true;
}

/* A number with k, m or g behind it, @unit being what k stands for. */
static bool
parse_scaled(const char *text, double unit, double *value)
{
    char *end;

    *value = strtod(text, &end);
    if (end == text)
        return false;
    switch (*end | 0x20) {
    case 'g':
        *value *= unit;
        __attribute__((fallthrough));
    case 'm':
        *value *= unit;
        __attribute__((fallthrough));
    case 'k':
        *value *= unit;
        break;
    default:
        break;
    }
    return true;
}

/* p,r[,loss in bad[,loss in good]] in per cent, or off */
static bool
parse_gilbert_elliott(LinkemSettings *s, const char *text)
{
    double v[4] = {0, 0, 100, 0};

    s->bursts = strcmp(text, "off") != 0 && strcmp(text, "0") != 0;
    if (!s->bursts)
        return true;
    if (sscanf(text, "%lf%*[%,]%lf%*[%,]%lf%*[%,]%lf", &v[0], &v[1], &v[2], &v[3]) < 2)
        return false;
    s->to_bad = v[0] / 100;
    s->to_good = v[1] / 100;
    s->loss_bad = v[2] / 100;
    s->loss_good = v[3] / 100;
    return true;
}

/* loss per cent, mean length: the same model by its effect */
static bool
parse_burst(LinkemSettings *s, const char *text)
{
    double loss, mean;

    if (sscanf(text, "%lf%*[%,]%lf", &loss, &mean) != 2 || mean < 1 || loss >= 100)
        return false;
    s->bursts = loss > 0;
    s->loss_bad = 1;
    s->loss_good = 0;
    s->to_good = 1.0 / mean;
    s->to_bad = s->to_good * (loss / 100) / (1 - loss / 100);
    return true;
}

/* 0 to 3, or off */
static bool
parse_ecn(LinkemSettings *s, const char *text)
{
    s->rewrites_ecn = strcmp(text, "off") != 0;
    if (!s->rewrites_ecn)
        return true;
    s->ecn = (unsigned) (text[0] - '0') & 3u;
    return text[0] >= '0' && text[0] <= '3' && text[1] == '\0';
}

static bool
parse_jitter_kind(const char *text, LinkemJitter *kind)
{
    static const char *const names[] = {"uniform", "normal", "pareto"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(text, names[i]) == 0) {
            *kind = (LinkemJitter) i;
            return true;
        }
    }
    return false;
}

static bool
set_share_or_time(LinkemSettings *s, const char *key, const char *value, bool *ok)
{
    const struct {
        const char *key;
        double *share;
        int64_t *time;
    } rows[] = {
        {"loss", &s->loss, NULL},      {"reorder", &s->reorder, NULL},
        {"dup", &s->dup, NULL},        {"corrupt", &s->corrupt, NULL},
        {"ce", &s->mark, NULL},        {"delay", NULL, &s->delay},
        {"jitter", NULL, &s->jitter},  {"qms", NULL, &s->queue_ns},
        {"qtime", NULL, &s->queue_ns}, {"rdelay", NULL, &s->reorder_delay},
    };

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (strcmp(key, rows[i].key) != 0)
            continue;
        *ok = rows[i].share != NULL ? parse_share(value, rows[i].share)
                                    : parse_time(value, rows[i].time);
        return true;
    }
    return false;
}

static bool
set_number(LinkemSettings *s, const char *key, const char *value, bool *ok)
{
    int number = atoi(value);

    *ok = true;
    if (strcmp(key, "order") == 0)
        s->order = number != 0;
    else if (strcmp(key, "qpkts") == 0)
        s->queue_max = number;
    else if (strcmp(key, "overhead") == 0)
        s->overhead = number;
    else if (strcmp(key, "down") == 0)
        s->down = number != 0;
    else if (strcmp(key, "maxlen") == 0)
        s->maxlen = number;
    else if (strcmp(key, "noect") == 0)
        s->drops_ect = number != 0;
    else if (strcmp(key, "passarp") == 0)
        s->spare_neighbours = number != 0;
    else
        return false;
    return true;
}

void
linkem_settings_clear(LinkemSettings *s)
{
    *s = (LinkemSettings){.reorder_delay = 3000000, .spare_neighbours = true, .loss_bad = 1.0};
}

bool
linkem_settings_set(LinkemSettings *s, const char *key, const char *value)
{
    bool ok;

    if (set_share_or_time(s, key, value, &ok) || set_number(s, key, value, &ok))
        return ok;
    if (strcmp(key, "ecn") == 0)
        return parse_ecn(s, value);
    if (strcmp(key, "ge") == 0)
        return parse_gilbert_elliott(s, value);
    if (strcmp(key, "burst") == 0)
        return parse_burst(s, value);
    if (strcmp(key, "jdist") == 0)
        return parse_jitter_kind(value, &s->jitter_kind);
    if (strcmp(key, "rate") == 0)
        return parse_scaled(value, 1e3, &s->rate);
    if (strcmp(key, "cormode") == 0) {
        s->corrupt_kind = strcmp(value, "udp") == 0 ? LINKEM_CORRUPT_UDP : LINKEM_CORRUPT_RAW;
        return true;
    }
    if (strcmp(key, "qbytes") == 0) {
        double bytes;

        ok = parse_scaled(value, 1024, &bytes);
        s->queue_bytes = ok ? (int64_t) bytes : 0;
        return ok;
    }
    return false;
}
