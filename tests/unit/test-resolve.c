/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-resolve.h"
#include "kv-test.h"

#include <string.h>

/* A name service that knows "two.example" and is silent about all else until it is told to stop. */
typedef struct {
    GResolver parent_instance;
} FakeResolver;

typedef struct {
    GResolverClass parent_class;
} FakeResolverClass;

static GType fake_resolver_get_type(void);

G_DEFINE_TYPE(FakeResolver, fake_resolver, G_TYPE_RESOLVER)

static void
stop_lookup(GCancellable *cancellable, gpointer data)
{
    g_autoptr(GTask) task = data;

    g_task_return_error_if_cancelled(task);
}

static void
lookup_async(GResolver *resolver, const char *name, GCancellable *cancellable,
             GAsyncReadyCallback callback, gpointer data)
{
    GTask *task = g_task_new(resolver, cancellable, callback, data);
    GList *addresses = NULL;

    if (strcmp(name, "two.example") != 0) {
        g_cancellable_connect(cancellable, G_CALLBACK(stop_lookup), task, NULL);
        return;
    }
    addresses = g_list_append(addresses, g_inet_address_new_from_string("2001:db8::1"));
    addresses = g_list_append(addresses, g_inet_address_new_from_string("192.0.2.1"));
    g_task_return_pointer(task, addresses, NULL);
    g_object_unref(task);
}

static GList *
lookup_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void
fake_resolver_class_init(FakeResolverClass *klass)
{
    G_RESOLVER_CLASS(klass)->lookup_by_name_async = lookup_async;
    G_RESOLVER_CLASS(klass)->lookup_by_name_finish = lookup_finish;
}

static void
fake_resolver_init(FakeResolver *self)
{
}

typedef struct {
    gboolean done;
    char *address;
    GError *error;
} Outcome;

static void
found(const KvSockaddr *address, const GError *error, gpointer data)
{
    Outcome *outcome = data;

    g_assert_false(outcome->done);
    outcome->done = TRUE;
    outcome->address = address != NULL ? kv_sockaddr_to_string(address) : NULL;
    outcome->error = error != NULL ? g_error_copy(error) : NULL;
}

/* What comes of a search; @cancellable may be cancelled already. */
static void
search(const char *host, guint turn, guint limit_ms, GCancellable *cancellable, Outcome *outcome)
{
    *outcome = (Outcome){0};
    kv_resolve(host, 7, turn, limit_ms, cancellable, found, outcome);
    g_assert_false(outcome->done);
    while (!outcome->done)
        g_main_context_iteration(NULL, TRUE);
}

static void
expect(const char *host, guint turn, const char *address)
{
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Outcome outcome;

    search(host, turn, 10000, cancellable, &outcome);
    g_assert_no_error(outcome.error);
    g_assert_cmpstr(outcome.address, ==, address);
    g_assert_false(g_cancellable_is_cancelled(cancellable));
    g_free(outcome.address);
}

/* Proves: literals are taken as they are, and of a name's addresses one after the other, IPv4
 * first. */
static void
test_addresses(void)
{
    expect("192.0.2.9", 0, "192.0.2.9:7");
    expect("[2001:db8::9]", 3, "[2001:db8::9]:7");
    expect("two.example", 0, "192.0.2.1:7");
    expect("two.example", 1, "[2001:db8::1]:7");
    expect("two.example", 2, "192.0.2.1:7");
}

/* Proves: a name service that does not answer, as one without a thread, ends with the limit, which
 * the error tells; and at once when it is told to. */
static void
test_silence(void)
{
    g_autoptr(GCancellable) patient = g_cancellable_new();
    g_autoptr(GCancellable) stopped = g_cancellable_new();
    gint64 start = g_get_monotonic_time();
    Outcome outcome;

    search("silent.example", 0, 50, patient, &outcome);
    g_assert_cmpint(g_get_monotonic_time() - start, >=, 49000);
    g_assert_error(outcome.error, KV_ERROR, KV_ERROR_NOT_FOUND);
    g_assert_cmpstr(outcome.error->message, ==,
                    "cannot find the address of silent.example: no answer within 50 ms");
    g_clear_error(&outcome.error);
    g_cancellable_cancel(stopped);
    search("silent.example", 0, 60000, stopped, &outcome);
    g_assert_error(outcome.error, KV_ERROR, KV_ERROR_NOT_FOUND);
    g_assert_null(strstr(outcome.error->message, "no answer within"));
    g_clear_error(&outcome.error);
}

int
main(int argc, char **argv)
{
    g_autoptr(GResolver) resolver = g_object_new(fake_resolver_get_type(), NULL);

    g_resolver_set_default(resolver);
    g_test_add_func("/resolve/addresses", test_addresses);
    g_test_add_func("/resolve/silence", test_silence);
    return kv_test_main(&argc, &argv);
}
