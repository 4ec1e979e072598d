/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-leases.h"

#include "kv-addr-pool.h"
#include "kv-addr-pool6.h"

#include <string.h>

typedef enum {
    OFFERED,
    HELD,
    KEPT,
} LeaseState;

typedef struct {
    KvLeaseId id;
    LeaseState state;
    char *name;  /* (nullable) that the client is known by, if it holds or kept the lease */
    char *asker; /* while offered: who is offered the same again */
    gboolean is_proved;
    KvLeaseAddresses addresses;
    KvTime since; /* while offered */
    GList node;   /* in the queue of its state, but for those held */
} Lease;

/* An address is taken in its pool, if it is of one, as long as it has an owner or is fixed. */
struct _KvLeases {
    KvAddrPool *pool4;
    KvAddrPool6 *pool6;
    gboolean has_spec[KV_N_FAMILIES];
    GHashTable *leases; /* id → Lease (owned) */
    GHashTable *askers; /* asker → Lease, of those offered */
    GHashTable *known;  /* name → Lease, of those held or kept */
    GHashTable *owners; /* KvNetwork → Lease; not of an offer that hopes for another's */
    GHashTable *fixed;  /* KvNetwork: set */
    GHashTable *own;    /* KvNetwork: set of those excluded */
    GHashTable *v1;     /* KvNetwork: set of those that clients of v1 have */
    GQueue offered;     /* by time */
    GQueue kept;        /* by when they were left */
    KvLeaseId last_id;
};

static guint
hash_address(gconstpointer key)
{
    const KvNetwork *address = key;
    guint hash = 5381;

    for (guint i = 0; i < sizeof address->ip; i++)
        hash = hash * 33 + address->ip[i];
    return hash;
}

static gboolean
equal_addresses(gconstpointer a, gconstpointer b)
{
    return kv_network_equal(a, b);
}

static gboolean
is_some(const KvNetwork *address)
{
    return address->prefix != 0;
}

static guint
get_family(const KvNetwork *address)
{
    return address->is_ip6 ? KV_FAMILY_IP6 : KV_FAMILY_IP4;
}

/* --- pools ---------------------------------------------------------------------------------- */

static gboolean
take_exact(KvLeases *self, const KvNetwork *address)
{
    return address->is_ip6 ? kv_addr_pool6_lease_exact(self->pool6, address->ip)
                           : kv_addr_pool_lease_exact(self->pool4, kv_network_get_ip4(address));
}

static gboolean
take_lowest(KvLeases *self, guint family, KvNetwork *address)
{
    KvIp4 ip;

    if (!self->has_spec[family])
        return FALSE;
    if (family == KV_FAMILY_IP6) {
        *address = (KvNetwork){.is_ip6 = TRUE, .prefix = 128};
        return kv_addr_pool6_lease(self->pool6, address->ip);
    }
    if (!kv_addr_pool_lease(self->pool4, &ip))
        return FALSE;
    kv_network_set_ip4(address, ip, 32);
    return TRUE;
}

static void
give_back(KvLeases *self, const KvNetwork *address)
{
    if (g_hash_table_contains(self->fixed, address))
        return;
    if (address->is_ip6)
        kv_addr_pool6_release(self->pool6, address->ip);
    else
        kv_addr_pool_release(self->pool4, kv_network_get_ip4(address));
}

/* --- leases --------------------------------------------------------------------------------- */

static Lease *
get_owner(const KvLeases *self, const KvNetwork *address)
{
    return g_hash_table_lookup(self->owners, address);
}

static void
set_owner(KvLeases *self, const KvNetwork *address, Lease *lease)
{
    g_hash_table_replace(self->owners, g_memdup2(address, sizeof *address), lease);
}

static void
lease_free(gpointer data)
{
    Lease *lease = data;

    g_free(lease->name);
    g_free(lease->asker);
    g_free(lease);
}

static void
leave_queue(KvLeases *self, Lease *lease)
{
    if (lease->state == OFFERED)
        g_queue_unlink(&self->offered, &lease->node);
    else if (lease->state == KEPT)
        g_queue_unlink(&self->kept, &lease->node);
}

static void
forget_names(KvLeases *self, Lease *lease)
{
    if (lease->asker != NULL && g_hash_table_lookup(self->askers, lease->asker) == lease)
        g_hash_table_remove(self->askers, lease->asker);
    if (lease->name != NULL && g_hash_table_lookup(self->known, lease->name) == lease)
        g_hash_table_remove(self->known, lease->name);
}

/* What it owns goes back to the pools. */
static void
drop(KvLeases *self, Lease *lease)
{
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        const KvNetwork *address = &lease->addresses.ip[family];

        if (is_some(address) && get_owner(self, address) == lease) {
            g_hash_table_remove(self->owners, address);
            give_back(self, address);
        }
    }
    leave_queue(self, lease);
    forget_names(self, lease);
    g_hash_table_remove(self->leases, &lease->id);
}

/* An offer of an unknown age is as good as none: its client comes again. */
static void
drop_old_offers(KvLeases *self, KvTime now)
{
    Lease *oldest;

    while ((oldest = g_queue_peek_head(&self->offered)) != NULL &&
           (kv_time_elapsed(now, oldest->since) >= KV_LEASES_OFFER_TIME ||
            self->offered.length >= KV_LEASES_OFFERS_MAX))
        drop(self, oldest);
}

/* %TRUE: somebody who is gone made room in @family. */
static gboolean
make_room(KvLeases *self, guint family)
{
    for (GList *l = self->kept.head; l != NULL; l = l->next) {
        Lease *lease = l->data;

        if (is_some(&lease->addresses.ip[family]) &&
            !g_hash_table_contains(self->fixed, &lease->addresses.ip[family])) {
            drop(self, lease);
            return TRUE;
        }
    }
    return FALSE;
}

/* The address of @family that was offered longest ago: maybe nobody comes for it. */
static gboolean
find_oldest_offer(const KvLeases *self, const Lease *lease, guint family, KvNetwork *address)
{
    for (const GList *l = self->offered.head; l != NULL; l = l->next) {
        const Lease *other = l->data;
        const KvNetwork *offered = &other->addresses.ip[family];

        if (other != lease && is_some(offered) && get_owner(self, offered) == other &&
            !g_hash_table_contains(self->fixed, offered)) {
            *address = *offered;
            return TRUE;
        }
    }
    return FALSE;
}

KvLeases *
kv_leases_new(const char *pool4, const char *pool6, GError **error)
{
    g_autoptr(KvLeases) self = g_new0(KvLeases, 1);

    self->leases = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, lease_free);
    self->askers = g_hash_table_new(g_str_hash, g_str_equal);
    self->known = g_hash_table_new(g_str_hash, g_str_equal);
    self->owners = g_hash_table_new_full(hash_address, equal_addresses, g_free, NULL);
    self->fixed = g_hash_table_new_full(hash_address, equal_addresses, g_free, NULL);
    self->own = g_hash_table_new_full(hash_address, equal_addresses, g_free, NULL);
    self->v1 = g_hash_table_new_full(hash_address, equal_addresses, g_free, NULL);
    self->has_spec[KV_FAMILY_IP4] = pool4 != NULL;
    self->has_spec[KV_FAMILY_IP6] = pool6 != NULL;
    self->pool4 = kv_addr_pool_new(pool4, error);
    if (self->pool4 == NULL)
        return NULL;
    self->pool6 = kv_addr_pool6_new(pool6, error);
    return self->pool6 != NULL ? g_steal_pointer(&self) : NULL;
}

void
kv_leases_free(KvLeases *self)
{
    if (self == NULL)
        return;
    g_clear_pointer(&self->askers, g_hash_table_unref);
    g_clear_pointer(&self->known, g_hash_table_unref);
    g_clear_pointer(&self->owners, g_hash_table_unref);
    g_clear_pointer(&self->fixed, g_hash_table_unref);
    g_clear_pointer(&self->own, g_hash_table_unref);
    g_clear_pointer(&self->v1, g_hash_table_unref);
    g_clear_pointer(&self->leases, g_hash_table_unref);
    kv_addr_pool_free(self->pool4);
    kv_addr_pool6_free(self->pool6);
    g_free(self);
}

void
kv_leases_exclude(KvLeases *self, const KvNetwork *address)
{
    g_hash_table_add(self->own, g_memdup2(address, sizeof *address));
    if (address->is_ip6)
        kv_addr_pool6_exclude(self->pool6, address->ip);
    else
        kv_addr_pool_exclude(self->pool4, kv_network_get_ip4(address));
}

void
kv_leases_set_fixed(KvLeases *self, const KvNetwork *addresses, guint n)
{
    g_autoptr(GHashTable) former = g_steal_pointer(&self->fixed);
    GHashTableIter iter;
    gpointer address;

    self->fixed = g_hash_table_new_full(hash_address, equal_addresses, g_free, NULL);
    for (guint i = 0; i < n; i++) {
        g_hash_table_add(self->fixed, g_memdup2(&addresses[i], sizeof addresses[i]));
        /* It fails for what is of no pool, and for what somebody has until they go. */
        if (!g_hash_table_contains(former, &addresses[i]))
            take_exact(self, &addresses[i]);
    }
    g_hash_table_iter_init(&iter, former);
    while (g_hash_table_iter_next(&iter, &address, NULL)) {
        if (get_owner(self, address) == NULL && !g_hash_table_contains(self->v1, address))
            give_back(self, address);
    }
}

/* --- offering ------------------------------------------------------------------------------- */

/* What an offer is made with. */
typedef struct {
    const KvLeaseClient *client;
    const KvLeaseAddresses *fixed;
    const KvNetwork *wants;
    guint n_wants;
    Lease *lease;  /* that is being made */
    Lease *former; /* (nullable) what the client had */
} Asking;

/* Somebody else has it, now. */
static gboolean
is_held_by_other(const KvLeases *self, const Asking *asking, const KvNetwork *address)
{
    const Lease *owner = get_owner(self, address);

    return g_hash_table_contains(self->v1, address) ||
           (owner != NULL && owner->state == HELD && owner != asking->former);
}

/* Reserves it if it has no owner; %FALSE: it is not to be had. */
static gboolean
reserve(KvLeases *self, const Asking *asking, const KvNetwork *address, gboolean is_fixed)
{
    if (g_hash_table_contains(self->own, address) || is_held_by_other(self, asking, address) ||
        (!is_fixed && g_hash_table_contains(self->fixed, address)))
        return FALSE;
    if (get_owner(self, address) != NULL)
        return TRUE;
    /* A fixed one was taken when it was set, or is of no pool. */
    if (!is_fixed && !take_exact(self, address))
        return FALSE;
    set_owner(self, address, asking->lease);
    return TRUE;
}

static KvLeasesOffer
choose_wanted(KvLeases *self, const Asking *asking, guint family, KvNetwork *address)
{
    const KvNetwork *first = NULL;

    for (guint i = 0; i < asking->n_wants; i++) {
        const KvNetwork *want = &asking->wants[i];

        if (get_family(want) != family)
            continue;
        *address = *want;
        if (reserve(self, asking, want, FALSE))
            return KV_LEASES_OFFERED;
        first = first != NULL ? first : want;
    }
    *address = first != NULL ? *first : (KvNetwork){0};
    return first != NULL ? KV_LEASES_NOT_ALLOWED : KV_LEASES_OFFERED;
}

/* @lease: (nullable): that the client had, or was offered. */
static gboolean
choose_again(KvLeases *self, const Asking *asking, const Lease *lease, guint family,
             KvNetwork *address)
{
    if (lease == NULL || !is_some(&lease->addresses.ip[family]) ||
        !reserve(self, asking, &lease->addresses.ip[family], FALSE))
        return FALSE;
    *address = lease->addresses.ip[family];
    return TRUE;
}

static KvLeasesOffer
choose_any(KvLeases *self, const Asking *asking, guint family, KvNetwork *address)
{
    if (choose_again(self, asking, asking->former, family, address) ||
        choose_again(self, asking, asking->lease, family, address) || !self->has_spec[family])
        return KV_LEASES_OFFERED;
    if (take_lowest(self, family, address) ||
        (make_room(self, family) && take_lowest(self, family, address))) {
        set_owner(self, address, asking->lease);
        return KV_LEASES_OFFERED;
    }
    return find_oldest_offer(self, asking->lease, family, address) ? KV_LEASES_OFFERED
                                                                   : KV_LEASES_NONE_LEFT;
}

/* Who asks for another one is not to find out later. */
static KvLeasesOffer
choose_fixed(KvLeases *self, const Asking *asking, guint family, KvNetwork *address)
{
    const KvNetwork *fixed = &asking->fixed->ip[family];

    *address = *fixed;
    for (guint i = 0; i < asking->n_wants; i++) {
        const KvNetwork *want = &asking->wants[i];

        if (kv_network_equal(want, fixed)) {
            *address = *fixed;
            break;
        }
        if (get_family(want) == family)
            *address = *want;
    }
    return kv_network_equal(address, fixed) && reserve(self, asking, fixed, TRUE)
               ? KV_LEASES_OFFERED
               : KV_LEASES_NOT_ALLOWED;
}

static KvLeasesOffer
choose(KvLeases *self, const Asking *asking, guint family, KvNetwork *address)
{
    KvLeasesOffer offer;

    *address = (KvNetwork){0};
    if (family == KV_FAMILY_IP6 && !asking->client->has_mtu6)
        return KV_LEASES_OFFERED;
    if (is_some(&asking->fixed->ip[family]))
        return choose_fixed(self, asking, family, address);
    offer = choose_wanted(self, asking, family, address);
    if (offer != KV_LEASES_OFFERED || is_some(address))
        return offer;
    return choose_any(self, asking, family, address);
}

static Lease *
add_offer(KvLeases *self, const KvLeaseClient *client, const char *asker, KvTime now)
{
    Lease *lease = g_new0(Lease, 1);

    lease->id = ++self->last_id;
    lease->state = OFFERED;
    lease->name = g_strdup(client->name);
    lease->asker = g_strdup(asker);
    lease->is_proved = client->is_proved;
    lease->since = now;
    lease->node.data = lease;
    g_hash_table_insert(self->leases, &lease->id, lease);
    g_hash_table_insert(self->askers, lease->asker, lease);
    g_queue_push_tail_link(&self->offered, &lease->node);
    return lease;
}

/* (transfer none): the lease that a client is offered, the same as before if it asks again. */
static Lease *
prepare_offer(KvLeases *self, const KvLeaseClient *client, KvTime now)
{
    gboolean has_name = client->name != NULL;
    g_autofree char *asker =
        g_strconcat(has_name ? "name " : "from ", has_name ? client->name : client->from, NULL);
    Lease *lease;

    drop_old_offers(self, now);
    lease = g_hash_table_lookup(self->askers, asker);
    if (lease == NULL)
        return add_offer(self, client, asker, now);
    lease->since = now;
    g_queue_unlink(&self->offered, &lease->node);
    g_queue_push_tail_link(&self->offered, &lease->node);
    return lease;
}

/* What it was offered before and is not any more goes back. */
static void
set_address(KvLeases *self, Lease *lease, guint family, const KvNetwork *address)
{
    KvNetwork old = lease->addresses.ip[family];

    lease->addresses.ip[family] = *address;
    if (!is_some(&old) || kv_network_equal(&old, address) || get_owner(self, &old) != lease)
        return;
    g_hash_table_remove(self->owners, &old);
    give_back(self, &old);
}

KvLeasesOffer
kv_leases_offer(KvLeases *self, const KvLeaseClient *client, const KvLeaseAddresses *fixed,
                const KvNetwork *wants, guint n_wants, KvTime now, KvLeaseId *id,
                KvLeaseAddresses *addresses)
{
    Asking asking = {
        .client = client,
        .fixed = fixed,
        .wants = wants,
        .n_wants = n_wants,
        .lease = prepare_offer(self, client, now),
    };
    KvLeasesOffer offer = KV_LEASES_OFFERED;

    *id = 0;
    *addresses = (KvLeaseAddresses){0};
    if (client->name != NULL)
        asking.former = g_hash_table_lookup(self->known, client->name);
    for (guint family = 0; family < KV_N_FAMILIES && offer == KV_LEASES_OFFERED; family++) {
        offer = choose(self, &asking, family, &addresses->ip[family]);
        if (offer == KV_LEASES_OFFERED)
            set_address(self, asking.lease, family, &addresses->ip[family]);
    }
    if (offer == KV_LEASES_OFFERED)
        *id = asking.lease->id;
    else
        drop(self, asking.lease);
    return offer;
}

/* --- holding -------------------------------------------------------------------------------- */

static Lease *
find(const KvLeases *self, KvLeaseId id)
{
    return g_hash_table_lookup(self->leases, &id);
}

static gboolean
can_have(KvLeases *self, Lease *lease, const Lease *former, const KvNetwork *address)
{
    const Lease *owner = get_owner(self, address);

    if (owner != NULL)
        return owner == lease || owner == former || owner->state != HELD;
    if (g_hash_table_contains(self->v1, address) ||
        (!g_hash_table_contains(self->fixed, address) && !take_exact(self, address)))
        return FALSE;
    set_owner(self, address, lease);
    return TRUE;
}

/* From an offer, which is void without it, or from somebody who is gone. */
static void
take_over(KvLeases *self, Lease *lease, Lease *former, const KvNetwork *address)
{
    Lease *owner = get_owner(self, address);

    if (owner == lease)
        return;
    set_owner(self, address, lease);
    if (owner->state == OFFERED)
        drop(self, owner);
    else if (owner != former)
        owner->addresses.ip[get_family(address)] = (KvNetwork){0};
}

static void
hold(KvLeases *self, Lease *lease)
{
    leave_queue(self, lease);
    g_hash_table_remove(self->askers, lease->asker);
    g_clear_pointer(&lease->asker, g_free);
    lease->state = HELD;
    if (lease->name != NULL)
        g_hash_table_insert(self->known, lease->name, lease);
}

KvLeasesOutcome
kv_leases_confirm(KvLeases *self, KvLeaseId id, KvLeaseId *replaced)
{
    Lease *lease = find(self, id);
    Lease *former;

    *replaced = 0;
    if (lease == NULL || lease->state == KEPT || (lease->state == HELD && !lease->is_proved))
        return KV_LEASES_TAKEN;
    if (lease->state == HELD) {
        *replaced = id;
        return KV_LEASES_REPLACES;
    }
    former = lease->name != NULL ? g_hash_table_lookup(self->known, lease->name) : NULL;
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        const KvNetwork *address = &lease->addresses.ip[family];

        if (is_some(address) && !can_have(self, lease, former, address)) {
            drop(self, lease);
            return KV_LEASES_TAKEN;
        }
    }
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        if (is_some(&lease->addresses.ip[family]))
            take_over(self, lease, former, &lease->addresses.ip[family]);
    }
    if (former != NULL && former->state == HELD)
        *replaced = former->id;
    if (former != NULL)
        drop(self, former);
    hold(self, lease);
    return *replaced != 0 ? KV_LEASES_REPLACES : KV_LEASES_HELD;
}

static gboolean
is_free_for(const KvLeases *self, const Lease *lease, const KvNetwork *address)
{
    const Lease *owner = get_owner(self, address);

    return !g_hash_table_contains(self->own, address) &&
           !g_hash_table_contains(self->v1, address) &&
           (owner == NULL || owner == lease || owner->state != HELD);
}

gboolean
kv_leases_move(KvLeases *self, KvLeaseId id, const KvLeaseAddresses *fixed)
{
    Lease *lease = find(self, id);

    if (lease == NULL || lease->state != HELD)
        return FALSE;
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        if (is_some(&fixed->ip[family]) && !is_free_for(self, lease, &fixed->ip[family]))
            return FALSE;
    }
    for (guint family = 0; family < KV_N_FAMILIES; family++) {
        const KvNetwork *address = &fixed->ip[family];

        if (!is_some(address))
            continue;
        if (get_owner(self, address) == NULL)
            set_owner(self, address, lease);
        take_over(self, lease, NULL, address);
        set_address(self, lease, family, address);
    }
    return TRUE;
}

void
kv_leases_release(KvLeases *self, KvLeaseId id)
{
    Lease *lease = find(self, id);

    if (lease == NULL || lease->state != HELD)
        return;
    if (lease->name == NULL) {
        drop(self, lease);
        return;
    }
    lease->state = KEPT;
    g_queue_push_tail_link(&self->kept, &lease->node);
    if (self->kept.length > KV_LEASES_KEPT_MAX)
        drop(self, g_queue_peek_head(&self->kept));
}

gboolean
kv_leases_get(const KvLeases *self, KvLeaseId id, KvLeaseAddresses *addresses)
{
    const Lease *lease = find(self, id);

    *addresses = lease != NULL ? lease->addresses : (KvLeaseAddresses){0};
    return lease != NULL;
}

KvLeaseId
kv_leases_find_holder(const KvLeases *self, const char *name)
{
    const Lease *lease = g_hash_table_lookup(self->known, name);

    return lease != NULL && lease->state == HELD ? lease->id : 0;
}

/* --- clients of v1 -------------------------------------------------------------------------- */

gboolean
kv_leases_take_ip4(KvLeases *self, KvIp4 *ip)
{
    KvNetwork address;

    *ip = 0;
    if (!self->has_spec[KV_FAMILY_IP4])
        return TRUE;
    if (!take_lowest(self, KV_FAMILY_IP4, &address) &&
        (!make_room(self, KV_FAMILY_IP4) || !take_lowest(self, KV_FAMILY_IP4, &address)))
        return FALSE;
    g_hash_table_add(self->v1, g_memdup2(&address, sizeof address));
    *ip = kv_network_get_ip4(&address);
    return TRUE;
}

gboolean
kv_leases_take_exact_ip4(KvLeases *self, KvIp4 ip)
{
    KvNetwork address;
    Lease *owner;

    kv_network_set_ip4(&address, ip, 32);
    owner = get_owner(self, &address);
    if (owner != NULL && owner->state != HELD)
        drop(self, owner);
    if (!take_exact(self, &address))
        return FALSE;
    g_hash_table_add(self->v1, g_memdup2(&address, sizeof address));
    return TRUE;
}

void
kv_leases_release_ip4(KvLeases *self, KvIp4 ip)
{
    KvNetwork address;

    kv_network_set_ip4(&address, ip, 32);
    if (g_hash_table_remove(self->v1, &address))
        give_back(self, &address);
}
