/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"
#include "kv-store-folder.h"
#include "kv-store.h"
#include "kv-test.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NOBODY 65534

/* Folders of their own for each test. The administrator's files must be root's. */
typedef struct {
    char *top;
    char *admin;
    char *own;
    KvStore *store;
    KvStoreContents *contents; /* of the last load() */
} World;

typedef struct {
    gboolean done;
    char *path;
    GError *error;
} Outcome;

static void
setup(World *world, gconstpointer data)
{
    *world = (World){.top = g_dir_make_tmp("kv-test-store-XXXXXX", NULL)};
    world->admin = g_build_filename(world->top, "etc", NULL);
    world->own = g_build_filename(world->top, "state", NULL);
    world->store = kv_store_new(world->admin, world->own);
}

static void
make_folders(World *world)
{
    g_assert_cmpint(g_mkdir(world->admin, 0750), ==, 0);
    g_assert_cmpint(g_mkdir(world->own, 0700), ==, 0);
}

static void
teardown(World *world, gconstpointer data)
{
    g_object_unref(world->store);
    kv_store_contents_free(world->contents);
    kv_test_remove_tree(world->top);
    g_free(world->top);
    g_free(world->admin);
    g_free(world->own);
}

static gboolean
needs_root(void)
{
    if (geteuid() == 0)
        return TRUE;
    g_test_skip("not root: the administrator's files must be root's");
    return FALSE;
}

static void
write_file(const char *folder, const char *name, const char *text, mode_t mode)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_assert_cmpint(g_chmod(path, mode), ==, 0);
}

static void
loaded(GObject *source, GAsyncResult *result, gpointer data)
{
    World *world = data;

    kv_store_contents_free(world->contents);
    world->contents = kv_store_load_finish(KV_STORE(source), result, NULL);
    g_assert_nonnull(world->contents);
}

static void
load(World *world)
{
    g_clear_pointer(&world->contents, kv_store_contents_free);
    kv_store_load_async(world->store, NULL, loaded, world);
    while (world->contents == NULL)
        g_main_context_iteration(NULL, TRUE);
}

static void
saved(GObject *source, GAsyncResult *result, gpointer data)
{
    Outcome *outcome = data;

    outcome->path = kv_store_save_finish(KV_STORE(source), result, &outcome->error);
    g_assert_true((outcome->path == NULL) == (outcome->error != NULL));
    outcome->done = TRUE;
}

static void
deleted(GObject *source, GAsyncResult *result, gpointer data)
{
    Outcome *outcome = data;
    gboolean ok = kv_store_delete_finish(KV_STORE(source), result, &outcome->error);

    g_assert_true(ok == (outcome->error == NULL));
    outcome->done = TRUE;
}

static void
wait_for(Outcome *outcome)
{
    while (!outcome->done)
        g_main_context_iteration(NULL, TRUE);
}

static void
clear(Outcome *outcome)
{
    g_free(outcome->path);
    g_clear_error(&outcome->error);
    *outcome = (Outcome){0};
}

static KvSettings *
make_settings(const char *name, const char *client_id)
{
    KvSettings *settings = kv_settings_new(KV_ROLE_CLIENT);

    g_assert_true(kv_settings_set_text(settings, KV_SETTING_NAME, name, NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_SECRET, "swordfish", NULL));
    g_assert_true(kv_settings_set_text(settings, KV_SETTING_CLIENT_ID, client_id, NULL));
    return settings;
}

/* Saves a tunnel and checks how that ends; @code < 0: well. */
static void
save(World *world, const char *name, const char *client_id, int code)
{
    g_autoptr(KvSettings) settings = make_settings(name, client_id);
    Outcome outcome = {0};

    kv_store_save_async(world->store, settings, NULL, saved, &outcome);
    wait_for(&outcome);
    if (code < 0)
        g_assert_no_error(outcome.error);
    else
        g_assert_error(outcome.error, KV_ERROR, code);
    clear(&outcome);
}

static void delete (World *world, const char *name, int code)
{
    Outcome outcome = {0};

    kv_store_delete_async(world->store, name, NULL, deleted, &outcome);
    wait_for(&outcome);
    if (code < 0)
        g_assert_no_error(outcome.error);
    else
        g_assert_error(outcome.error, KV_ERROR, code);
    clear(&outcome);
}

/* (transfer full): "name:client-id" of each entry, "!" before a read-only one. */
static char *
list_entries(const World *world)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < world->contents->entries->len; i++) {
        const KvStoreEntry *entry = g_ptr_array_index(world->contents->entries, i);

        g_string_append_printf(out, "%s%s%s:%s", i > 0 ? " " : "", entry->read_only ? "!" : "",
                               kv_settings_get_string(entry->settings, KV_SETTING_NAME),
                               kv_settings_get_string(entry->settings, KV_SETTING_CLIENT_ID));
    }
    return g_string_free(out, FALSE);
}

/* (transfer full): "file:line: message" of each problem, a line each. */
static char *
list_problems(const World *world)
{
    GString *out = g_string_new(NULL);

    for (guint i = 0; i < world->contents->problems->len; i++) {
        const KvStoreProblem *problem = g_ptr_array_index(world->contents->problems, i);
        g_autofree char *base = g_path_get_basename(problem->path);

        g_assert_true(g_str_has_prefix(problem->path, world->top));
        g_string_append_printf(out, "%s:%u: %s\n", base, problem->line, problem->message);
    }
    return g_string_free(out, FALSE);
}

static void
expect(World *world, const char *entries, const char *problems)
{
    g_autofree char *found = NULL;
    g_autofree char *wrong = NULL;

    load(world);
    found = list_entries(world);
    wrong = list_problems(world);
    g_assert_cmpstr(found, ==, entries);
    if (problems != NULL)
        g_assert_cmpstr(wrong, ==, problems);
    else
        g_assert_cmpuint(world->contents->problems->len, ==, 1);
}

static void
assert_file(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *found = NULL;

    g_assert_true(g_file_get_contents(path, &found, NULL, NULL));
    g_assert_cmpstr(found, ==, text);
}

#define CLIENT(id) "[tunnel]\nrole=client\nclient-id=" id "\n"

/* Proves: folders that are not there are empty, and saving makes the daemon's own. */
static void
test_no_folders(World *world, gconstpointer data)
{
    struct stat st;

    expect(world, "", "");
    save(world, "home", "a", -1);
    g_assert_cmpint(g_stat(world->own, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & ALLPERMS, ==, 0700);
    expect(world, "home:a", "");
}

/* Proves: key files of both folders are read, others are not; the name is the file's or its own. */
static void
test_load(World *world, gconstpointer data)
{
    if (!needs_root())
        return;
    make_folders(world);
    write_file(world->admin, "b.kcpvpn", CLIENT("b"), 0640);
    write_file(world->admin, "a.kcpvpn", CLIENT("a") "name=office\n", 0600);
    write_file(world->admin, "a.kcpvpn.bak", "rubbish", 0600);
    write_file(world->admin, ".a.kcpvpn", "rubbish", 0600);
    write_file(world->own, "home.kcpvpn", CLIENT("c"), 0600);
    write_file(world->own, "notes.txt", "rubbish", 0600);
    expect(world, "!office:a !b:b home:c", "");
}

/* Proves: a broken file is named with line and reason, and hurts no other. */
static void
test_broken(World *world, gconstpointer data)
{
    static const struct {
        const char *text;
        const char *problem;
    } cases[] = {
        {"[tunnel]\nrole=client\n\nprot=1\n", "x.kcpvpn:4: \"prot\" is not a known setting\n"},
        {"[tunnel]\nport=1\n",
         "x.kcpvpn:0: role: required, but not given; allowed: one of client, server, peer\n"},
        {"", "x.kcpvpn:0: role: required, but not given; allowed: one of client, server, peer\n"},
        {"[tunnel]\nrole=client\nport=0\n",
         "x.kcpvpn:3: port: \"0\" is not allowed; allowed: a whole number from 1 to 65535\n"},
        {"\x7f"
         "ELF\n",
         "x.kcpvpn:1: neither a comment nor a group nor KEY=VALUE\n"},
    };

    make_folders(world);
    write_file(world->own, "a.kcpvpn", CLIENT("a"), 0600);
    write_file(world->own, "z.kcpvpn", CLIENT("z"), 0600);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        write_file(world->own, "x.kcpvpn", cases[i].text, 0600);
        expect(world, "a:a z:z", cases[i].problem);
    }
}

/* Proves: of two tunnels of one name the first one, or the administrator's, is there. */
static void
test_clash(World *world, gconstpointer data)
{
    g_autofree char *problem = NULL;

    if (!needs_root())
        return;
    make_folders(world);
    write_file(world->own, "home.kcpvpn", CLIENT("own"), 0600);
    write_file(world->own, "other.kcpvpn", CLIENT("twice") "name=home\n", 0600);
    problem = g_strdup_printf("other.kcpvpn:0: the name \"home\" is taken by %s/home.kcpvpn\n",
                              world->own);
    expect(world, "home:own", problem);
    g_free(problem);
    write_file(world->admin, "h.kcpvpn", CLIENT("admin") "name=home\n", 0640);
    problem = g_strdup_printf("home.kcpvpn:0: the name \"home\" is taken by %s/h.kcpvpn\n"
                              "other.kcpvpn:0: the name \"home\" is taken by %s/h.kcpvpn\n",
                              world->admin, world->admin);
    expect(world, "!home:admin", problem);
}

/* Proves: files of others, or within others' reach, are not read. */
static void
test_modes(World *world, gconstpointer data)
{
    static const struct {
        gboolean admin;
        mode_t mode;
        uid_t owner;
        gboolean read;
    } cases[] = {
        {TRUE, 0600, 0, TRUE},       {TRUE, 0640, 0, TRUE},        {TRUE, 0440, 0, TRUE},
        {TRUE, 0644, 0, FALSE},      {TRUE, 0604, 0, FALSE},       {TRUE, 0602, 0, FALSE},
        {TRUE, 0601, 0, FALSE},      {TRUE, 0660, 0, FALSE},       {TRUE, 0620, 0, FALSE},
        {TRUE, 0600, NOBODY, FALSE}, {TRUE, 0640, NOBODY, FALSE},  {FALSE, 0600, 0, TRUE},
        {FALSE, 0400, 0, TRUE},      {FALSE, 0640, 0, FALSE},      {FALSE, 0620, 0, FALSE},
        {FALSE, 0610, 0, FALSE},     {FALSE, 0604, 0, FALSE},      {FALSE, 0602, 0, FALSE},
        {FALSE, 0666, 0, FALSE},     {FALSE, 0600, NOBODY, FALSE},
    };

    if (!needs_root())
        return;
    make_folders(world);
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        const char *folder = cases[i].admin ? world->admin : world->own;
        g_autofree char *path = g_build_filename(folder, "x.kcpvpn", NULL);

        write_file(folder, "x.kcpvpn", CLIENT("x"), cases[i].mode);
        g_assert_cmpint(chown(path, cases[i].owner, 0), ==, 0);
        if (cases[i].read)
            expect(world, cases[i].admin ? "!x:x" : "x:x", "");
        else
            expect(world, "", NULL);
        g_assert_cmpint(g_remove(path), ==, 0);
    }
}

/* Proves: only regular files are read, and nothing that a name merely points to. */
static void
test_odd_files(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "x.kcpvpn", NULL);
    g_autofree char *target = g_build_filename(world->own, "target", NULL);

    make_folders(world);
    write_file(world->own, "target", CLIENT("x"), 0600);
    g_assert_cmpint(symlink(target, path), ==, 0);
    expect(world, "", "x.kcpvpn:0: a symbolic link is not allowed here\n");
    g_remove(path);
    g_assert_cmpint(g_mkdir(path, 0700), ==, 0);
    expect(world, "", "x.kcpvpn:0: it is not a regular file\n");
    g_remove(path);
    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    expect(world, "", "x.kcpvpn:0: it is not a regular file\n");
    g_remove(path);
    write_file(world->own, "x.kcpvpn", "", 0600);
    g_assert_cmpint(truncate(path, KV_SETTING_FILE_MAX + 1), ==, 0);
    expect(world, "", "x.kcpvpn:0: it is longer than 1048576 bytes\n");
}

/* Proves: a folder that others may change, or whose parent they may, is not read at all; what was
 * known of it is reported as broken, not as gone. */
static void
test_folders(World *world, gconstpointer data)
{
    make_folders(world);
    write_file(world->own, "x.kcpvpn", CLIENT("x"), 0600);
    expect(world, "x:x", "");
    g_assert_cmpint(g_chmod(world->own, 0770), ==, 0);
    expect(world, "",
           "state:0: other users may write to it (mode 0770); run: chmod go-w\n"
           "x.kcpvpn:0: its folder could not be read\n");
    g_assert_cmpint(g_chmod(world->own, 0700), ==, 0);
    expect(world, "x:x", "");
    g_assert_cmpint(g_chmod(world->top, 0707), ==, 0);
    load(world);
    g_assert_cmpuint(world->contents->entries->len, ==, 0);
    g_assert_cmpint(g_chmod(world->top, 0700), ==, 0);
    if (geteuid() != 0)
        return;
    g_assert_cmpint(chown(world->own, NOBODY, 0), ==, 0);
    load(world);
    g_assert_cmpuint(world->contents->entries->len, ==, 0);
    g_assert_cmpint(chown(world->own, 0, 0), ==, 0);
    expect(world, "x:x", "");
}

/* Proves: what is saved is there for its owner alone, with its secret, and can be replaced. */
static void
test_save(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "home.kcpvpn", NULL);
    const KvStoreEntry *entry;
    struct stat st;

    make_folders(world);
    save(world, "home", "a", -1);
    g_assert_cmpint(g_stat(path, &st), ==, 0);
    g_assert_cmpuint(st.st_mode & ALLPERMS, ==, 0600);
    save(world, "home", "b", -1);
    save(world, "B\xc3\xbcro 2", "c", -1);
    expect(world, "B\xc3\xbcro 2:c home:b", "");
    entry = g_ptr_array_index(world->contents->entries, 1);
    g_assert_cmpstr(entry->path, ==, path);
    g_assert_nonnull(kv_settings_get_secret(entry->settings, KV_SETTING_SECRET));
}

/* Proves: a tunnel is saved to the file it came from, whatever that is called. */
static void
test_save_in_place(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "home.kcpvpn", NULL);

    make_folders(world);
    write_file(world->own, "x.kcpvpn", CLIENT("x") "name=home\n", 0600);
    expect(world, "home:x", "");
    save(world, "home", "y", -1);
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    expect(world, "home:y", "");
    delete (world, "home", -1);
    expect(world, "", "");
}

/* Proves: the administrator's files are never written, nor files that are no known tunnel's. */
static void
test_save_refused(World *world, gconstpointer data)
{
    make_folders(world);
    write_file(world->own, "broken.kcpvpn", "rubbish", 0600);
    load(world);
    save(world, "broken", "a", KV_ERROR_EXISTS);
    assert_file(world->own, "broken.kcpvpn", "rubbish");
    if (!needs_root())
        return;
    write_file(world->admin, "office.kcpvpn", CLIENT("x"), 0640);
    load(world);
    save(world, "office", "a", KV_ERROR_READ_ONLY);
    delete (world, "office", KV_ERROR_READ_ONLY);
    assert_file(world->admin, "office.kcpvpn", CLIENT("x"));
}

/* Proves: a file that breaks while it is known is not written over, but can be mended or deleted.
 */
static void
test_breaks(World *world, gconstpointer data)
{
    make_folders(world);
    save(world, "home", "a", -1);
    write_file(world->own, "home.kcpvpn", "[tunnel]\nrubbish\n", 0600);
    expect(world, "", "home.kcpvpn:2: neither a comment nor a group nor KEY=VALUE\n");
    save(world, "home", "b", KV_ERROR_WRONG_STATE);
    assert_file(world->own, "home.kcpvpn", "[tunnel]\nrubbish\n");
    write_file(world->own, "home.kcpvpn", CLIENT("c"), 0600);
    expect(world, "home:c", "");
    save(world, "home", "d", -1);
    write_file(world->own, "home.kcpvpn", "rubbish\n", 0600);
    load(world);
    delete (world, "home", -1);
    expect(world, "", "");
    save(world, "home", "e", -1);
}

/* Proves: only tunnels that are there can be deleted, and one whose file is gone still can. */
static void
test_delete(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "gone.kcpvpn", NULL);

    make_folders(world);
    save(world, "home", "a", -1);
    save(world, "gone", "b", -1);
    g_assert_cmpint(g_remove(path), ==, 0);
    delete (world, "none", KV_ERROR_NOT_FOUND);
    delete (world, "gone", -1);
    delete (world, "gone", KV_ERROR_NOT_FOUND);
    expect(world, "home:a", "");
    delete (world, "home", -1);
    expect(world, "", "");
}

/* Proves: what a crash left of a write goes at the next load, with the secrets in it; the file of a
 * tunnel whose name ends like a key file's is no such thing. */
static void
test_unfinished(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "home.kcpvpn.X1Y2Z3", NULL);

    make_folders(world);
    save(world, "home", "a", -1);
    save(world, "home.kcpvpn", "b", -1);
    write_file(world->own, "home.kcpvpn.X1Y2Z3", CLIENT("half"), 0600);
    expect(world, "home:a home.kcpvpn:b", "");
    g_assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
}

/* Proves: jobs happen in the order they were asked for, and a cancelled one that waits does not. */
static void
test_order(World *world, gconstpointer data)
{
    g_autoptr(KvSettings) first = make_settings("home", "a");
    g_autoptr(KvSettings) second = make_settings("home", "b");
    g_autoptr(GCancellable) cancellable = g_cancellable_new();
    Outcome outcomes[5] = {{0}};

    make_folders(world);
    kv_store_save_async(world->store, first, NULL, saved, &outcomes[0]);
    kv_store_delete_async(world->store, "home", NULL, deleted, &outcomes[1]);
    kv_store_delete_async(world->store, "home", NULL, deleted, &outcomes[2]);
    kv_store_save_async(world->store, second, NULL, saved, &outcomes[3]);
    kv_store_delete_async(world->store, "home", cancellable, deleted, &outcomes[4]);
    g_cancellable_cancel(cancellable);
    for (guint i = 0; i < G_N_ELEMENTS(outcomes); i++)
        wait_for(&outcomes[i]);
    g_assert_no_error(outcomes[0].error);
    g_assert_no_error(outcomes[1].error);
    g_assert_error(outcomes[2].error, KV_ERROR, KV_ERROR_NOT_FOUND);
    g_assert_no_error(outcomes[3].error);
    g_assert_error(outcomes[4].error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    for (guint i = 0; i < G_N_ELEMENTS(outcomes); i++)
        clear(&outcomes[i]);
    expect(world, "home:b", "");
}

/* Proves: the folders are those that systemd names. */
static void
test_environment(World *world, gconstpointer data)
{
    make_folders(world);
    g_setenv("CONFIGURATION_DIRECTORY", world->admin, TRUE);
    g_setenv("STATE_DIRECTORY", world->own, TRUE);
    g_object_unref(world->store);
    world->store = kv_store_new_from_environment();
    g_unsetenv("CONFIGURATION_DIRECTORY");
    g_unsetenv("STATE_DIRECTORY");
    save(world, "home", "a", -1);
    expect(world, "home:a", "");
}

/* What was written for good while a file is watched. */
static struct {
    const char *path;    /* NULL: nothing is watched */
    ino_t file;          /* the last one that was not a folder */
    gboolean folder;     /* its folder, the last one */
    gboolean file_there; /* then */
    gboolean folders_fail;
    gboolean files_fail;
} synced;

int fsync(int fd) __attribute__((visibility("default")));

/* In the place of the C library's, for GLib, too. */
int
fsync(int fd)
{
    g_autofree char *folder = synced.path != NULL ? g_path_get_dirname(synced.path) : NULL;
    struct stat wanted;
    struct stat st;

    if (folder == NULL || fstat(fd, &st) < 0 || stat(folder, &wanted) < 0)
        return (int) syscall(SYS_fsync, fd);
    if (S_ISDIR(st.st_mode)) {
        synced.folder = st.st_dev == wanted.st_dev && st.st_ino == wanted.st_ino;
        synced.file_there = access(synced.path, F_OK) == 0;
    } else {
        synced.file = st.st_ino;
        synced.folder = FALSE;
    }
    errno = EIO;
    if (S_ISDIR(st.st_mode) ? synced.folders_fail : synced.files_fail)
        return -1;
    return (int) syscall(SYS_fsync, fd);
}

/* Proves: a tunnel that was saved is there after a power cut, as it was saved last, and one that
 * was deleted is not; what the disk refuses to keep is an error, and the old file stays. */
static void
test_lasting(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "home.kcpvpn", NULL);
    g_autofree char *before = NULL;
    struct stat st;

    make_folders(world);
    synced.path = path;
    for (guint i = 0; i < 2; i++) {
        save(world, "home", i == 0 ? "a" : "b", -1);
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpuint(synced.file, ==, st.st_ino);
        g_assert_true(synced.folder && synced.file_there);
        synced.folder = FALSE;
    }
    g_assert_true(g_file_get_contents(path, &before, NULL, NULL));
    synced.files_fail = TRUE;
    save(world, "home", "c", KV_ERROR_IO);
    save(world, "new", "c", KV_ERROR_IO);
    synced.files_fail = FALSE;
    assert_file(world->own, "home.kcpvpn", before);
    expect(world, "home:b", "");
    delete (world, "home", -1);
    g_assert_true(synced.folder && !synced.file_there);
    save(world, "home", "d", -1);
    synced.folders_fail = TRUE;
    delete (world, "home", KV_ERROR_IO);
    synced.folders_fail = FALSE;
    delete (world, "home", -1);
    expect(world, "", "");
    synced.path = NULL;
}

/* Proves: a deletion that cannot be made to last is not told as one, if the folder cannot even be
 * opened for it. In a process of its own, of a user whom modes keep out. */
static void
test_unlisted_folder(World *world, gconstpointer data)
{
    g_autofree char *path = g_build_filename(world->own, "home.kcpvpn", NULL);
    g_autoptr(GError) error = NULL;

    if (!needs_root())
        return;
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        return;
    }
    make_folders(world);
    g_assert_cmpint(g_chmod(world->top, 0711), ==, 0);
    g_assert_cmpint(chown(world->own, NOBODY, 0), ==, 0);
    g_assert_cmpint(seteuid(NOBODY), ==, 0);
    g_assert_true(g_file_set_contents(path, CLIENT("a"), -1, NULL));
    g_assert_cmpint(g_chmod(world->own, 0300), ==, 0);
    g_assert_false(kv_store_folder_delete(path, &error));
    g_assert_error(error, KV_ERROR, KV_ERROR_PERMISSION_DENIED);
    g_assert_true(g_str_has_suffix(error->message, "cannot be written: Permission denied"));
    g_assert_cmpint(seteuid(0), ==, 0);
}

/* Fills the disk below @folder to the last byte, and gives the file's path. */
static char *
fill_disk(const char *folder)
{
    char *path = g_build_filename(folder, "filler", NULL);
    static const char block[4096];
    FILE *file = g_fopen(path, "w");

    g_assert_nonnull(file);
    while (fwrite(block, 1, sizeof block, file) == sizeof block && fflush(file) == 0)
        continue;
    fclose(file);
    return path;
}

/* Proves: a disk that is full or read-only gives its own error and keeps the old file; room again,
 * and all is well. In a process of its own, whose disk is its own too. */
static void
test_disk(World *world, gconstpointer data)
{
    g_autofree char *filler = NULL;
    g_autofree char *before = NULL;
    g_autofree char *path = g_build_filename(world->own, "home.kcpvpn", NULL);

    if (!needs_root())
        return;
    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, 0);
        g_test_trap_assert_passed();
        return;
    }
    make_folders(world);
    g_assert_cmpint(unshare(CLONE_NEWNS), ==, 0);
    g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
    g_assert_cmpint(mount("tmpfs", world->own, "tmpfs", 0, "size=64k,mode=0700"), ==, 0);
    save(world, "home", "a", -1);
    g_assert_true(g_file_get_contents(path, &before, NULL, NULL));
    filler = fill_disk(world->own);
    save(world, "home", "b", KV_ERROR_EXHAUSTED);
    save(world, "new", "b", KV_ERROR_EXHAUSTED);
    assert_file(world->own, "home.kcpvpn", before);
    expect(world, "home:a", "");
    g_assert_cmpint(g_remove(filler), ==, 0);
    g_assert_cmpint(mount(NULL, world->own, NULL, MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
    save(world, "home", "b", KV_ERROR_PERMISSION_DENIED);
    delete (world, "home", KV_ERROR_IO);
    expect(world, "home:a", "");
    g_assert_cmpint(mount(NULL, world->own, NULL, MS_REMOUNT, NULL), ==, 0);
    save(world, "home", "b", -1);
    expect(world, "home:b", "");
    g_assert_cmpint(umount2(world->own, MNT_DETACH), ==, 0);
}

#define ADD(path, function) g_test_add(path, World, NULL, setup, function, teardown)

int
main(int argc, char **argv)
{
    ADD("/store/no-folders", test_no_folders);
    ADD("/store/load", test_load);
    ADD("/store/broken", test_broken);
    ADD("/store/clash", test_clash);
    ADD("/store/modes", test_modes);
    ADD("/store/odd-files", test_odd_files);
    ADD("/store/folders", test_folders);
    ADD("/store/save", test_save);
    ADD("/store/save-in-place", test_save_in_place);
    ADD("/store/save-refused", test_save_refused);
    ADD("/store/breaks", test_breaks);
    ADD("/store/delete", test_delete);
    ADD("/store/unfinished", test_unfinished);
    ADD("/store/order", test_order);
    ADD("/store/environment", test_environment);
    ADD("/store/disk", test_disk);
    ADD("/store/lasting", test_lasting);
    ADD("/store/unlisted-folder", test_unlisted_folder);
    return kv_test_main(&argc, &argv);
}
