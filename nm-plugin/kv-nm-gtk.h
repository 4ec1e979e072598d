/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <gtk/gtk.h>

/*
 * Where GTK 3 and GTK 4 differ for the editor: each function is named after what it does in both.
 * Main thread only, as all of GTK.
 */

#define KV_GTK_IS_4 GTK_CHECK_VERSION(4, 0, 0)

/* Style classes of both. */
#define KV_GTK_CLASS_ERROR "error"
#define KV_GTK_CLASS_DIM   "dim-label"

static inline const char *
kv_gtk_entry_get_text(GtkWidget *entry)
{
#if KV_GTK_IS_4
    return gtk_editable_get_text(GTK_EDITABLE(entry));
#else
    return gtk_entry_get_text(GTK_ENTRY(entry));
#endif
}

static inline void
kv_gtk_entry_set_text(GtkWidget *entry, const char *text)
{
#if KV_GTK_IS_4
    gtk_editable_set_text(GTK_EDITABLE(entry), text);
#else
    gtk_entry_set_text(GTK_ENTRY(entry), text);
#endif
}

static inline gboolean
kv_gtk_check_get_active(GtkWidget *check)
{
#if KV_GTK_IS_4
    return gtk_check_button_get_active(GTK_CHECK_BUTTON(check));
#else
    return gtk_toggle_button_get_active(GTK_TOGGLE_BUTTON(check));
#endif
}

static inline void
kv_gtk_check_set_active(GtkWidget *check, gboolean active)
{
#if KV_GTK_IS_4
    gtk_check_button_set_active(GTK_CHECK_BUTTON(check), active);
#else
    gtk_toggle_button_set_active(GTK_TOGGLE_BUTTON(check), active);
#endif
}

static inline const char *
kv_gtk_check_get_label(GtkWidget *check)
{
#if KV_GTK_IS_4
    return gtk_check_button_get_label(GTK_CHECK_BUTTON(check));
#else
    return gtk_button_get_label(GTK_BUTTON(check));
#endif
}

static inline void
kv_gtk_box_append(GtkWidget *box, GtkWidget *child)
{
#if KV_GTK_IS_4
    gtk_box_append(GTK_BOX(box), child);
#else
    gtk_container_add(GTK_CONTAINER(box), child);
#endif
}

/* Lets long text of @label take more lines. */
static inline void
kv_gtk_label_wrap(GtkWidget *label)
{
#if KV_GTK_IS_4
    gtk_label_set_wrap(GTK_LABEL(label), TRUE);
#else
    gtk_label_set_line_wrap(GTK_LABEL(label), TRUE);
#endif
}

/* (transfer floating): @child, which scrolls up and down. */
static inline GtkWidget *
kv_gtk_scrolled_new(GtkWidget *child)
{
    GtkWidget *scrolled;

#if KV_GTK_IS_4
    scrolled = gtk_scrolled_window_new();
    gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scrolled), child);
#else
    scrolled = gtk_scrolled_window_new(NULL, NULL);
    gtk_container_add(GTK_CONTAINER(scrolled), child);
#endif
    gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scrolled), GTK_POLICY_NEVER,
                                   GTK_POLICY_AUTOMATIC);
    return scrolled;
}

static inline void
kv_gtk_set_class(GtkWidget *widget, const char *name, gboolean on)
{
    GtkStyleContext *style = gtk_widget_get_style_context(widget);

    if (on)
        gtk_style_context_add_class(style, name);
    else
        gtk_style_context_remove_class(style, name);
}

/* @widget and all in it, as far as they are not hidden on purpose. */
static inline void
kv_gtk_show_all(GtkWidget *widget)
{
#if KV_GTK_IS_4
    gtk_widget_show(widget);
#else
    gtk_widget_show_all(widget);
#endif
}

/* For a widget that comes and goes by gtk_widget_set_visible(), whoever shows what is around it. */
static inline void
kv_gtk_hide_on_purpose(GtkWidget *widget)
{
#if !KV_GTK_IS_4
    gtk_widget_set_no_show_all(widget, TRUE);
#endif
    gtk_widget_hide(widget);
}

/* Puts @beside, a button, next to @control, which is in column 1 of @grid. */
static inline void
kv_gtk_grid_put_beside(GtkGrid *grid, GtkWidget *control, GtkWidget *beside, int top)
{
    GtkWidget *box = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);

    g_object_ref(control);
#if KV_GTK_IS_4
    gtk_grid_remove(grid, control);
#else
    gtk_container_remove(GTK_CONTAINER(grid), control);
#endif
    kv_gtk_box_append(box, control);
    kv_gtk_box_append(box, beside);
    gtk_grid_attach(grid, box, 1, top, 1, 1);
    g_object_unref(control);
}

/* Puts @text into the clipboard, where it stays when the program ends. */
static inline void
kv_gtk_copy_text(GtkWidget *widget, const char *text)
{
#if KV_GTK_IS_4
    gdk_clipboard_set_text(gtk_widget_get_clipboard(widget), text);
#else
    GtkClipboard *clipboard = gtk_widget_get_clipboard(widget, GDK_SELECTION_CLIPBOARD);

    gtk_clipboard_set_text(clipboard, text, -1);
    gtk_clipboard_set_can_store(clipboard, NULL, 0);
#endif
}

/* (transfer none) (nullable): the window that @widget is in. */
static inline GtkWindow *
kv_gtk_get_window(GtkWidget *widget)
{
#if KV_GTK_IS_4
    GtkRoot *root = gtk_widget_get_root(widget);

    return GTK_IS_WINDOW(root) ? GTK_WINDOW(root) : NULL;
#else
    GtkWidget *top = gtk_widget_get_toplevel(widget);

    return GTK_IS_WINDOW(top) ? GTK_WINDOW(top) : NULL;
#endif
}

static inline void
kv_gtk_window_destroy(GtkWidget *window)
{
#if KV_GTK_IS_4
    gtk_window_destroy(GTK_WINDOW(window));
#else
    gtk_widget_destroy(window);
#endif
}

/* What programs for people who do not see call @widget: @label without the mark of its key. GTK 3
 * would say nothing, or the value; GTK 4 the text with the mark, and once more what its label says.
 */
static inline void
kv_gtk_name(GtkWidget *widget, const char *label)
{
    g_auto(GStrv) parts = g_strsplit(label, "_", 2);
    g_autofree char *name = g_strjoinv("", parts);

#if KV_GTK_IS_4
    if (GTK_IS_CHECK_BUTTON(widget))
        gtk_accessible_update_property(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_PROPERTY_LABEL, name,
                                       -1);
    else
        gtk_accessible_reset_property(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_PROPERTY_LABEL);
#else
    atk_object_set_name(gtk_widget_get_accessible(widget), name);
#endif
}

/* What a screen reader says of @widget beside its label. */
static inline void
kv_gtk_describe(GtkWidget *widget, const char *text, gboolean invalid)
{
#if KV_GTK_IS_4
    gtk_accessible_update_property(GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                   text, -1);
    gtk_accessible_update_state(
        GTK_ACCESSIBLE(widget), GTK_ACCESSIBLE_STATE_INVALID,
        invalid ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE, -1);
#else
    AtkObject *accessible = gtk_widget_get_accessible(widget);

    atk_object_set_description(accessible, text);
    atk_object_notify_state_change(accessible, ATK_STATE_INVALID_ENTRY, invalid);
#endif
}
