/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-prompt.h"

#include "kv-error.h"
#include "kv-i18n.h"

#include <gtk/gtk.h>
#include <nma-vpn-password-dialog.h>

static gboolean
init_toolkit(void)
{
#if GTK_CHECK_VERSION(4, 0, 0)
    return gtk_init_check();
#else
    return gtk_init_check(NULL, NULL);
#endif
}

static void
destroy(GtkWidget *widget)
{
#if GTK_CHECK_VERSION(4, 0, 0)
    gtk_window_destroy(GTK_WINDOW(widget));
#else
    gtk_widget_destroy(widget);
#endif
}

char *
kv_nm_prompt_run(const char *title, const char *message, const char *label, const char *value,
                 GError **error)
{
    NMAVpnPasswordDialog *dialog;
    GtkWidget *widget;
    char *typed = NULL;

    if (!init_toolkit()) {
        g_set_error_literal(error, KV_ERROR, KV_ERROR_NOT_FOUND,
                            _("there is no display to ask on"));
        return NULL;
    }
    widget = nma_vpn_password_dialog_new(title, message, value);
    dialog = NMA_VPN_PASSWORD_DIALOG(widget);
    gtk_window_set_icon_name(GTK_WINDOW(widget), "kcpvpn");
    nma_vpn_password_dialog_set_password_label(dialog, label);
    nma_vpn_password_dialog_set_show_password_secondary(dialog, FALSE);
    nma_vpn_password_dialog_set_show_password_ternary(dialog, FALSE);
    if (nma_vpn_password_dialog_run_and_block(dialog))
        typed = g_strdup(nma_vpn_password_dialog_get_password(dialog));
    destroy(widget);
    gdk_display_flush(gdk_display_get_default()); /* no main loop does it from here on */
    return typed;
}
