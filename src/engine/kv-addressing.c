/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-addressing.h"

#include "kv-log.h"

/* An address, or a route if it has an interface of its own. */
typedef struct {
    gboolean is_route;
    gboolean is_server; /* a route to the other end, which a machine may have twice */
    gboolean is_found;  /* a route that was there, and is another's as long as not all is set */
    KvNetwork network;
    KvNetwork gateway;
    char *interface; /* (nullable): another one than the tunnel's */
} Item;

struct _KvAddressing {
    KvNetlink *netlink;
    char *interface;
    GPtrArray *items; /* Item, in the order they were set */
    gboolean is_lost; /* some of what was set went with the interface when that was set down */
};

static void
item_free(gpointer data)
{
    Item *item = data;

    g_free(item->interface);
    g_free(item);
}

static gboolean
equal_items(gconstpointer a, gconstpointer b)
{
    const Item *x = a;
    const Item *y = b;

    return x->is_route == y->is_route && kv_network_equal(&x->network, &y->network) &&
           kv_network_equal(&x->gateway, &y->gateway) && g_strcmp0(x->interface, y->interface) == 0;
}

KvAddressing *
kv_addressing_new(KvNetlink *netlink, const char *interface)
{
    KvAddressing *self = g_new0(KvAddressing, 1);

    self->netlink = netlink;
    self->interface = g_strdup(interface);
    self->items = g_ptr_array_new_with_free_func(item_free);
    return self;
}

void
kv_addressing_free(KvAddressing *self)
{
    if (self == NULL)
        return;
    g_ptr_array_unref(self->items);
    g_free(self->interface);
    g_free(self);
}

/* --- the kernel ------------------------------------------------------------------------------ */

static KvNetlinkRoute
to_route(const KvAddressing *self, const Item *item)
{
    return (KvNetlinkRoute){
        .destination = item->network,
        .gateway = item->gateway,
        .interface = item->interface != NULL ? item->interface : self->interface,
        .metric = KV_ADDRESSING_METRIC,
        .is_beside = item->is_server,
    };
}

static gboolean
set_item(KvAddressing *self, Item *item, GError **error)
{
    KvNetlinkRoute route = to_route(self, item);

    return item->is_route
               ? kv_netlink_add_route(self->netlink, &route, &item->is_found, error)
               : kv_netlink_add_network(self->netlink, self->interface, &item->network, error);
}

static gboolean
unset_item(KvAddressing *self, const Item *item, GError **error)
{
    KvNetlinkRoute route = to_route(self, item);

    return item->is_route
               ? kv_netlink_remove_route(self->netlink, &route, error)
               : kv_netlink_remove_network(self->netlink, self->interface, &item->network, error);
}

/* --- what is wanted -------------------------------------------------------------------------- */

static void
add_item(GPtrArray *items, const Item *item)
{
    Item *copy;

    /* A server may say the same twice. */
    if (g_ptr_array_find_with_equal_func(items, item, equal_items, NULL))
        return;
    copy = g_memdup2(item, sizeof *item);
    copy->interface = g_strdup(item->interface);
    g_ptr_array_add(items, copy);
}

static const KvNetwork *
find_gateway(const KvAddressingPlan *plan, gboolean is_ip6)
{
    for (guint i = 0; plan->gateways != NULL && i < plan->gateways->len; i++) {
        const KvNetwork *gateway = &g_array_index(plan->gateways, KvNetwork, i);

        if (gateway->is_ip6 == is_ip6)
            return gateway;
    }
    return NULL;
}

static gboolean
is_within_reach(const KvAddressingPlan *plan, const KvNetwork *gateway)
{
    for (guint i = 0; i < plan->addresses->len; i++) {
        KvNetwork network = g_array_index(plan->addresses, KvNetwork, i);

        if (kv_network_contains(&network, gateway))
            return TRUE;
    }
    return FALSE;
}

static void
add_gateways(GPtrArray *items, const KvAddressingPlan *plan)
{
    for (guint i = 0; plan->gateways != NULL && i < plan->gateways->len; i++) {
        const KvNetwork *gateway = &g_array_index(plan->gateways, KvNetwork, i);

        if (!is_within_reach(plan, gateway))
            add_item(items, &(Item){.is_route = TRUE, .is_server = TRUE, .network = *gateway});
    }
}

static void
add_route(GPtrArray *items, const KvAddressingPlan *plan, const KvNetwork *destination)
{
    const KvNetwork *gateway =
        plan->mode == KV_VNI_MODE_TAP ? find_gateway(plan, destination->is_ip6) : NULL;
    Item item = {.is_route = TRUE, .network = *destination};

    if (gateway != NULL)
        item.gateway = *gateway;
    if (destination->prefix > 0) {
        add_item(items, &item);
        return;
    }
    /* Another default route, maybe with a metric of 0, is to stay as it is. */
    item.network.prefix = 1;
    add_item(items, &item);
    item.network.ip[0] = 0x80;
    add_item(items, &item);
}

static gboolean
has_network(const GArray *networks, const KvNetwork *network)
{
    for (guint i = 0; i < networks->len; i++) {
        if (kv_network_equal(&g_array_index(networks, KvNetwork, i), network))
            return TRUE;
    }
    return FALSE;
}

/* (transfer none) (nullable): the way out to @endpoint that was set before, or else one to where
 * nobody is any more. That to another of @endpoints says nothing: it may be on the machine's own
 * network, and this one is not. */
static const Item *
find_way_out(const KvAddressing *self, const KvNetwork *endpoint, const GArray *endpoints)
{
    const Item *other = NULL;

    for (guint i = 0; i < self->items->len; i++) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (item->interface == NULL || item->network.is_ip6 != endpoint->is_ip6)
            continue;
        if (kv_network_equal(&item->network, endpoint))
            return item;
        if (other == NULL && !has_network(endpoints, &item->network))
            other = item;
    }
    return other;
}

static gboolean
is_covered(const GArray *networks, const KvNetwork *address)
{
    for (guint i = 0; i < networks->len; i++) {
        if (kv_network_contains(&g_array_index(networks, KvNetwork, i), address))
            return TRUE;
    }
    return FALSE;
}

/* Takes away our own routes that lead to @address; they come again. */
static gboolean
unset_routes_to(KvAddressing *self, const KvNetwork *address, GError **error)
{
    for (guint i = self->items->len; i-- > 0;) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (!item->is_route || item->interface != NULL ||
            !kv_network_contains(&item->network, address))
            continue;
        if (!unset_item(self, item, error))
            return FALSE;
        g_ptr_array_remove_index(self->items, i);
    }
    return TRUE;
}

static void
add_way(GPtrArray *items, const KvNetwork *endpoint, const KvNetwork *gateway, char *interface)
{
    add_item(items, &(Item){.is_route = TRUE,
                            .network = *endpoint,
                            .gateway = *gateway,
                            .interface = interface});
}

/* Ways to @inside, all that our own routes lead to now: the kernel is asked without these. */
static gboolean
add_ways_beside(KvAddressing *self, GPtrArray *items, const GArray *inside, GError **error)
{
    for (guint i = 0; i < inside->len; i++) {
        if (!unset_routes_to(self, &g_array_index(inside, KvNetwork, i), error))
            return FALSE;
    }
    for (guint i = 0; i < inside->len; i++) {
        const KvNetwork *endpoint = &g_array_index(inside, KvNetwork, i);
        g_autofree char *interface = NULL;
        KvNetwork gateway;

        /* Else there is no other. */
        if (kv_netlink_find_way(self->netlink, endpoint, &gateway, &interface, NULL) &&
            !g_str_equal(interface, self->interface))
            add_way(items, endpoint, &gateway, interface);
    }
    return TRUE;
}

/* The tunnel's own datagrams keep the way that they have now. What may be refused comes first: then
 * nothing has been taken away. */
static gboolean
add_ways_out(KvAddressing *self, GPtrArray *items, const KvAddressingPlan *plan, GError **error)
{
    g_autoptr(GArray) inside = g_array_new(FALSE, FALSE, sizeof(KvNetwork));

    for (guint i = 0; plan->endpoints != NULL && i < plan->endpoints->len; i++) {
        const KvNetwork *endpoint = &g_array_index(plan->endpoints, KvNetwork, i);
        const Item *former = find_way_out(self, endpoint, plan->endpoints);
        g_autofree char *interface = NULL;
        KvNetwork gateway;

        if (!is_covered(plan->routes, endpoint))
            continue;
        if (!kv_netlink_find_way(self->netlink, endpoint, &gateway, &interface, error))
            return FALSE;
        /* The server is elsewhere now, and our own routes lead there. */
        if (g_str_equal(interface, self->interface) && former != NULL)
            add_way(items, endpoint, &former->gateway, former->interface);
        else if (g_str_equal(interface, self->interface))
            g_array_append_vals(inside, endpoint, 1);
        else if (!g_str_equal(interface, "lo"))
            add_way(items, endpoint, &gateway, interface);
    }
    return add_ways_beside(self, items, inside, error);
}

/* (transfer full) (nullable) */
static GPtrArray *
list_wanted(KvAddressing *self, const KvAddressingPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(item_free);

    for (guint i = 0; i < plan->addresses->len; i++)
        add_item(items, &(Item){.network = g_array_index(plan->addresses, KvNetwork, i)});
    add_gateways(items, plan);
    if (!add_ways_out(self, items, plan, error))
        return NULL;
    for (guint i = 0; i < plan->routes->len; i++)
        add_route(items, plan, &g_array_index(plan->routes, KvNetwork, i));
    return g_steal_pointer(&items);
}

/* Whether the item goes. With an interface's last address of a family the kernel takes its routes
 * of that family, too, so they go before and come again. */
static gboolean
is_outdated(const GPtrArray *wanted, const Item *item, const gboolean *loses_address)
{
    if (item->is_route && item->interface == NULL && loses_address[item->network.is_ip6])
        return TRUE;
    return !g_ptr_array_find_with_equal_func((GPtrArray *) wanted, item, equal_items, NULL);
}

static gboolean
unset_outdated(KvAddressing *self, const GPtrArray *wanted, GError **error)
{
    gboolean loses_address[2] = {FALSE}; /* by whether it is IPv6 */

    for (guint i = 0; i < self->items->len; i++) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (!item->is_route && is_outdated(wanted, item, loses_address))
            loses_address[item->network.is_ip6] = TRUE;
    }
    for (guint i = self->items->len; i-- > 0;) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (!is_outdated(wanted, item, loses_address))
            continue;
        if (!unset_item(self, item, error))
            return FALSE;
        g_ptr_array_remove_index(self->items, i);
    }
    return TRUE;
}

/* What was found is ours if all the rest could be set. Else somebody may be there who has it in
 * use. */
static void
settle_found(KvAddressing *self, gboolean is_ours)
{
    for (guint i = self->items->len; i-- > 0;) {
        Item *item = g_ptr_array_index(self->items, i);

        if (item->is_found && !is_ours)
            g_ptr_array_remove_index(self->items, i);
        else
            item->is_found = FALSE;
    }
}

/* --- public ---------------------------------------------------------------------------------- */

gboolean
kv_addressing_apply(KvAddressing *self, const KvAddressingPlan *plan, GError **error)
{
    g_autoptr(GPtrArray) wanted = list_wanted(self, plan, error);

    if (wanted == NULL || !unset_outdated(self, wanted, error))
        return FALSE;
    for (guint i = 0; i < wanted->len; i++) {
        Item *item = g_ptr_array_index(wanted, i);

        if (g_ptr_array_find_with_equal_func(self->items, item, equal_items, NULL))
            continue;
        if (!set_item(self, item, error)) {
            settle_found(self, FALSE);
            return FALSE;
        }
        add_item(self->items, item);
    }
    settle_found(self, TRUE);
    return TRUE;
}

/* The kernel takes an interface's routes, and its IPv6 addresses, when it is set down. */
static void
forget_lost(KvAddressing *self)
{
    for (guint i = self->items->len; i-- > 0;) {
        const Item *item = g_ptr_array_index(self->items, i);

        if (item->interface != NULL || (!item->is_route && !item->network.is_ip6))
            continue;
        g_ptr_array_remove_index(self->items, i);
        self->is_lost = TRUE;
    }
}

gboolean
kv_addressing_has_returned(KvAddressing *self, gboolean was_down)
{
    if (was_down)
        forget_lost(self);
    if (!self->is_lost || !kv_netlink_is_up(self->netlink, self->interface))
        return FALSE;
    self->is_lost = FALSE;
    kv_log(KV_LOG_WARNING, NULL, self->interface, NULL,
           "interface %s was set down and is up again: its addresses and routes are set again",
           self->interface);
    return TRUE;
}

gboolean
kv_addressing_clear(KvAddressing *self, GError **error)
{
    GError *first = NULL;

    for (guint i = self->items->len; i-- > 0;)
        unset_item(self, g_ptr_array_index(self->items, i), first == NULL ? &first : NULL);
    g_ptr_array_set_size(self->items, 0);
    if (first == NULL)
        return TRUE;
    g_propagate_error(error, first);
    return FALSE;
}
