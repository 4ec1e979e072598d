/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-gtk.h"

#include <NetworkManager.h>
#include <stdio.h>
#include <string.h>

/*
 * Shows the form of a VPN plugin by itself, as a connection editor would, without NetworkManager.
 * Built once for each toolkit; the plugin takes the form that fits.
 *
 *     harness-gtk3 PLUGIN.so SERVICE [FILE | KEY=VALUE...]
 *
 * Reads commands from stdin, a line each, and ends each answer with a line "done":
 *
 *     dump              what the editor would save: "data KEY=VALUE", "secret KEY=VALUE"
 *     look NAME         "KEY WORD...": kind, text, whether it is marked, described, …
 *     set NAME TEXT     types TEXT; presses a check button until it is true or false; picks from a
 *                       list
 *     press NAME        clicks
 *     paste NAME        into an entry, what is in the clipboard
 *     answer WORD       to the dialog: ok, cancel or close
 *     edit FILE OUT     imports FILE, shows it in a form, and exports what the form would save
 *     open FILE         shows FILE in the window's form
 *     quit
 */

typedef struct {
    GMainLoop *loop;
    NMVpnEditorPlugin *plugin;
    NMVpnEditor *editor;
    NMConnection *connection;
    GtkWidget *window;
    guint n_changed;
} Harness;

/* --- widgets by name ------------------------------------------------------------------------- */

#if KV_GTK_IS_4
static GtkWidget *
find_below(GtkWidget *widget, const char *name)
{
    GtkWidget *found = NULL;

    if (strcmp(gtk_widget_get_name(widget), name) == 0)
        return widget;
    for (GtkWidget *child = gtk_widget_get_first_child(widget); child != NULL && found == NULL;
         child = gtk_widget_get_next_sibling(child))
        found = find_below(child, name);
    return found;
}
#else
static GtkWidget *
find_below(GtkWidget *widget, const char *name)
{
    g_autoptr(GList) children = NULL;
    GtkWidget *found = NULL;

    if (strcmp(gtk_widget_get_name(widget), name) == 0)
        return widget;
    if (!GTK_IS_CONTAINER(widget))
        return NULL;
    children = gtk_container_get_children(GTK_CONTAINER(widget));
    for (GList *at = children; at != NULL && found == NULL; at = at->next)
        found = find_below(at->data, name);
    return found;
}
#endif

/* The dialog's controls are looked for before those of the page. */
static GtkWidget *
find(const char *name)
{
    g_autoptr(GList) windows = gtk_window_list_toplevels();
    GtkWidget *found = NULL;

    for (GList *at = windows; at != NULL; at = at->next) {
        GtkWidget *here = find_below(at->data, name);

        if (here != NULL && (found == NULL || GTK_IS_DIALOG(at->data)))
            found = here;
    }
    return found;
}

static GtkWidget *
find_dialog(void)
{
    g_autoptr(GList) windows = gtk_window_list_toplevels();

    for (GList *at = windows; at != NULL; at = at->next) {
        if (GTK_IS_DIALOG(at->data) && gtk_widget_get_visible(at->data))
            return at->data;
    }
    return NULL;
}

/* --- commands -------------------------------------------------------------------------------- */

static void
print_data(const char *key, const char *value, gpointer data)
{
    printf("data %s=%s\n", key, value);
}

static void
print_secret(const char *key, const char *value, gpointer data)
{
    printf("secret %s=%s\n", key, value);
}

static void
do_dump(Harness *harness, GError **error)
{
    g_autoptr(NMConnection) copy = nm_simple_connection_new_clone(harness->connection);
    NMSettingVpn *vpn;

    if (!nm_vpn_editor_update_connection(harness->editor, copy, error))
        return;
    vpn = nm_connection_get_setting_vpn(copy);
    nm_setting_vpn_foreach_data_item(vpn, print_data, NULL);
    nm_setting_vpn_foreach_secret(vpn, print_secret, NULL);
}

static const char *
get_text(GtkWidget *widget)
{
    if (GTK_IS_ENTRY(widget))
        return kv_gtk_entry_get_text(widget);
    if (GTK_IS_COMBO_BOX(widget))
        return gtk_combo_box_get_active_id(GTK_COMBO_BOX(widget));
    if (GTK_IS_CHECK_BUTTON(widget))
        return kv_gtk_check_get_active(widget) ? "true" : "false";
    return GTK_IS_BUTTON(widget) ? gtk_button_get_label(GTK_BUTTON(widget)) : "";
}

/* What a person sees of the control, a line each. */
static void
do_look(const char *name)
{
    GtkWidget *widget = find(name);
    g_autofree char *tip = NULL;

    if (widget == NULL) {
        puts("missing");
        return;
    }
    g_object_get(widget, "tooltip-text", &tip, NULL);
    printf("kind %s\n", G_OBJECT_TYPE_NAME(widget));
    printf("text %s\n", get_text(widget));
    printf("tip %s\n", tip != NULL ? g_strdelimit(tip, "\n", '|') : "");
    if (GTK_IS_ENTRY(widget)) {
        const char *placeholder = gtk_entry_get_placeholder_text(GTK_ENTRY(widget));

        printf("placeholder %s\n", placeholder != NULL ? placeholder : "");
        printf("readable %d\n", gtk_entry_get_visibility(GTK_ENTRY(widget)));
    }
    printf("sensitive %d\n", gtk_widget_is_sensitive(widget));
    printf("visible %d\n", gtk_widget_is_visible(widget));
    printf("marked %d\n",
           gtk_style_context_has_class(gtk_widget_get_style_context(widget), KV_GTK_CLASS_ERROR));
}

static void
do_set(const char *name, const char *text)
{
    GtkWidget *widget = find(name);

    if (widget == NULL)
        puts("missing");
    else if (GTK_IS_ENTRY(widget))
        kv_gtk_entry_set_text(widget, text);
    else if (GTK_IS_COMBO_BOX(widget))
        printf("picked %d\n", gtk_combo_box_set_active_id(GTK_COMBO_BOX(widget), text));
    else
        kv_gtk_check_set_active(widget, strcmp(text, "true") == 0);
}

static void
do_press(const char *name)
{
    GtkWidget *widget = find(name);

    if (widget != NULL && GTK_IS_BUTTON(widget))
        g_signal_emit_by_name(widget, "clicked");
    else
        puts("missing");
}

#if KV_GTK_IS_4
static void
on_pasted(GObject *clipboard, GAsyncResult *result, gpointer data)
{
    *(char **) data = gdk_clipboard_read_text_finish(GDK_CLIPBOARD(clipboard), result, NULL);
}

/* (transfer full) (nullable) */
static char *
read_clipboard(GtkWidget *widget)
{
    char *text = NULL;

    gdk_clipboard_read_text_async(gtk_widget_get_clipboard(widget), NULL, on_pasted, &text);
    for (guint i = 0; text == NULL && i < 100; i++)
        g_main_context_iteration(NULL, TRUE);
    return text;
}
#else
static char *
read_clipboard(GtkWidget *widget)
{
    return gtk_clipboard_wait_for_text(gtk_widget_get_clipboard(widget, GDK_SELECTION_CLIPBOARD));
}
#endif

static void
do_paste(const char *name)
{
    GtkWidget *widget = find(name);
    g_autofree char *text = widget != NULL ? read_clipboard(widget) : NULL;

    if (text != NULL)
        kv_gtk_entry_set_text(widget, text);
    else
        puts("missing");
}

static void
do_answer(const char *word)
{
    GtkWidget *dialog = find_dialog();
    GtkWidget *ok;

    if (dialog == NULL) {
        puts("missing");
        return;
    }
    ok = gtk_dialog_get_widget_for_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    if (strcmp(word, "ok") != 0)
        gtk_dialog_response(GTK_DIALOG(dialog), GTK_RESPONSE_CANCEL);
    else if (gtk_widget_is_sensitive(ok))
        gtk_dialog_response(GTK_DIALOG(dialog), GTK_RESPONSE_OK);
    else
        puts("insensitive");
}

static void
do_edit(Harness *harness, const char *path, const char *out, GError **error)
{
    g_autoptr(NMConnection) connection = nm_vpn_editor_plugin_import(harness->plugin, path, error);
    g_autoptr(NMVpnEditor) editor = NULL;
    GObject *page;

    if (connection == NULL)
        return;
    editor = nm_vpn_editor_plugin_get_editor(harness->plugin, connection, error);
    if (editor == NULL)
        return;
    page = nm_vpn_editor_get_widget(editor);
    if (!GTK_IS_WIDGET(page))
        puts("no page");
    else if (nm_vpn_editor_update_connection(editor, connection, error) &&
             nm_vpn_editor_plugin_export(harness->plugin, out, connection, error))
        puts("exported");
}

/* --- the window ------------------------------------------------------------------------------ */

static void
on_changed(NMVpnEditor *editor, gpointer data)
{
    Harness *harness = data;

    harness->n_changed++;
}

/* @connection: (transfer full) */
static gboolean
show(Harness *harness, NMConnection *connection, GError **error)
{
    GtkWidget *page;

    g_clear_object(&harness->editor);
    g_clear_object(&harness->connection);
    harness->connection = connection;
    harness->editor = nm_vpn_editor_plugin_get_editor(harness->plugin, connection, error);
    if (harness->editor == NULL)
        return FALSE;
    g_signal_connect(harness->editor, "changed", G_CALLBACK(on_changed), harness);
    page = GTK_WIDGET(nm_vpn_editor_get_widget(harness->editor));
#if KV_GTK_IS_4
    gtk_window_set_child(GTK_WINDOW(harness->window), page);
    gtk_window_present(GTK_WINDOW(harness->window));
#else
    GtkWidget *old = gtk_bin_get_child(GTK_BIN(harness->window));

    if (old != NULL)
        gtk_container_remove(GTK_CONTAINER(harness->window), old);
    gtk_container_add(GTK_CONTAINER(harness->window), page);
    gtk_widget_show_all(harness->window);
#endif
    return TRUE;
}

static void
do_open(Harness *harness, const char *path, GError **error)
{
    NMConnection *connection = nm_vpn_editor_plugin_import(harness->plugin, path, error);

    if (connection != NULL)
        show(harness, connection, error);
}

static void
do_command(Harness *harness, char **words, GError **error)
{
    const char *first = words[0];
    guint n = g_strv_length(words);

    if (strcmp(first, "quit") == 0)
        g_main_loop_quit(harness->loop);
    else if (strcmp(first, "dump") == 0)
        do_dump(harness, error);
    else if (strcmp(first, "look") == 0 && n == 2)
        do_look(words[1]);
    else if (strcmp(first, "set") == 0 && n >= 2)
        do_set(words[1], n > 2 ? words[2] : "");
    else if (strcmp(first, "press") == 0 && n == 2)
        do_press(words[1]);
    else if (strcmp(first, "paste") == 0 && n == 2)
        do_paste(words[1]);
    else if (strcmp(first, "answer") == 0 && n == 2)
        do_answer(words[1]);
    else if (strcmp(first, "edit") == 0 && n == 3)
        do_edit(harness, words[1], words[2], error);
    else if (strcmp(first, "open") == 0 && n == 2)
        do_open(harness, words[1], error);
    else
        puts("no such command");
}

static gboolean
on_line(GIOChannel *channel, GIOCondition condition, gpointer data)
{
    Harness *harness = data;
    g_autofree char *line = NULL;
    g_autoptr(GError) error = NULL;
    g_auto(GStrv) words = NULL;

    if (g_io_channel_read_line(channel, &line, NULL, NULL, NULL) != G_IO_STATUS_NORMAL) {
        g_main_loop_quit(harness->loop);
        return G_SOURCE_REMOVE;
    }
    g_strchomp(line);
    words = g_strsplit(line, "\t", 3);
    if (words[0] != NULL)
        do_command(harness, words, &error);
    if (error != NULL)
        printf("error %s\n", error->message);
    printf("changed %u\ndone\n", harness->n_changed);
    harness->n_changed = 0;
    return G_SOURCE_CONTINUE;
}

static NMConnection *
make_connection(const char *service, char **items)
{
    NMConnection *connection = nm_simple_connection_new();
    NMSettingVpn *vpn = NM_SETTING_VPN(nm_setting_vpn_new());
    NMSetting *base = nm_setting_connection_new();

    g_object_set(base, NM_SETTING_CONNECTION_ID, "harness", NM_SETTING_CONNECTION_TYPE,
                 NM_SETTING_VPN_SETTING_NAME, NULL);
    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, service, NULL);
    for (; *items != NULL; items++) {
        g_auto(GStrv) pair = g_strsplit(*items, "=", 2);

        if (strcmp(pair[0], "secret") == 0 || strcmp(pair[0], "private-key") == 0 ||
            strcmp(pair[0], "preshared-key") == 0)
            nm_setting_vpn_add_secret(vpn, pair[0], pair[1]);
        else
            nm_setting_vpn_add_data_item(vpn, pair[0], pair[1]);
    }
    nm_connection_add_setting(connection, base);
    nm_connection_add_setting(connection, NM_SETTING(vpn));
    return connection;
}

static GtkWidget *
make_window(void)
{
    GtkWidget *window;

#if KV_GTK_IS_4
    gtk_init();
    window = gtk_window_new();
#else
    gtk_init(NULL, NULL);
    window = gtk_window_new(GTK_WINDOW_TOPLEVEL);
#endif
    gtk_window_set_title(GTK_WINDOW(window), "editor-harness");
    gtk_window_set_default_size(GTK_WINDOW(window), 480, -1);
    return window;
}

int
main(int argc, char **argv)
{
    Harness harness = {0};
    g_autoptr(GError) error = NULL;
    g_autoptr(GIOChannel) input = g_io_channel_unix_new(0);

    if (argc < 3) {
        fprintf(stderr, "usage: %s PLUGIN.so SERVICE [KEY=VALUE...]\n", argv[0]);
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    harness.window = make_window();
    harness.plugin = nm_vpn_editor_plugin_load_from_file(argv[1], argv[2], -1, NULL, NULL, &error);
    if (harness.plugin == NULL || !show(&harness, make_connection(argv[2], argv + 3), &error)) {
        fprintf(stderr, "%s: %s\n", argv[1], error->message);
        return 1;
    }
    puts("done");
    harness.loop = g_main_loop_new(NULL, FALSE);
    g_io_add_watch(input, G_IO_IN | G_IO_HUP, on_line, &harness);
    g_main_loop_run(harness.loop);
    g_main_loop_unref(harness.loop);
    g_clear_object(&harness.editor);
    kv_gtk_window_destroy(harness.window);
    g_clear_object(&harness.connection);
    g_object_unref(harness.plugin);
    return 0;
}
