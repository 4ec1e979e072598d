/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-nm-keyring.h"

#include <NetworkManager.h>
#include <libsecret/secret.h>

/* As all agents of NetworkManager write them. */
static const SecretSchema schema = {
    "org.freedesktop.NetworkManager.Connection",
    SECRET_SCHEMA_DONT_MATCH_NAME,
    {
        {"connection-uuid", SECRET_SCHEMA_ATTRIBUTE_STRING},
        {"setting-name", SECRET_SCHEMA_ATTRIBUTE_STRING},
        {"setting-key", SECRET_SCHEMA_ATTRIBUTE_STRING},
        {NULL, 0},
    },
};

char *
kv_nm_keyring_lookup(const char *uuid, const char *key)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *found = NULL;
    char *secret;

    found =
        secret_password_lookup_sync(&schema, NULL, &error, "connection-uuid", uuid, "setting-name",
                                    NM_SETTING_VPN_SETTING_NAME, "setting-key", key, NULL);
    if (error != NULL)
        g_debug("no keyring: %s", error->message);
    secret = g_strdup(found);
    if (found != NULL)
        secret_password_wipe(found);
    return secret;
}
