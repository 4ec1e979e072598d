/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-nm-form.h"

/**
 * KvNmIdentity: the part of the page that says how the two ends know each other.
 *
 * By a secret that both have, or by keys: a list chooses, and only what that way needs is shown and
 * saved. It also says who keeps the secrets. What was typed for the other way comes back with it.
 * Main thread.
 */
typedef struct _KvNmIdentity KvNmIdentity;

/**
 * kv_nm_identity_new:
 * @form: gets the fields; must live as long, and whoever made it calls kv_nm_identity_update()
 * @builder: has the grids "authentication", "by-secret" and "by-keys", the check buttons
 *     "show-secret" and "show-keys", and the size group "labels"
 *
 * Returns: (transfer full): the part, as the form's profile has it.
 */
KvNmIdentity *kv_nm_identity_new(KvNmForm *form, GtkBuilder *builder) KV_MUST_USE;
void kv_nm_identity_free(KvNmIdentity *identity);

/* Takes over what has no signal of its own. To be called after each change of the form. */
void kv_nm_identity_update(KvNmIdentity *identity);

/* Whether the way that was chosen lacks something that nobody is asked for later. */
gboolean kv_nm_identity_check(const KvNmIdentity *identity, GError **error) KV_MUST_USE;

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmIdentity, kv_nm_identity_free)
