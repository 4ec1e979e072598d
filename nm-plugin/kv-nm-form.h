/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-nm-field.h"

#include <NetworkManager.h>

/**
 * KvNmForm: fields and the profile's VPN setting that they show.
 *
 * What the user changes goes into the setting at once, whether it is allowed or not; all else in
 * the setting stays as it is, also items that no field is there for. Main thread.
 */
typedef struct _KvNmForm KvNmForm;

/* Called after each change by the user. */
typedef void (*KvNmFormFunc)(KvNmForm *form, gpointer data);

/**
 * kv_nm_form_new:
 * @vpn: (transfer none): copied
 *
 * Returns: (transfer full): a form without fields.
 */
KvNmForm *kv_nm_form_new(NMSettingVpn *vpn, KvNmFormFunc changed, gpointer data) KV_MUST_USE;
void kv_nm_form_free(KvNmForm *form);

/* (transfer none): the setting as it is now, valid as long as the form. */
NMSettingVpn *kv_nm_form_get_vpn(const KvNmForm *form);

/**
 * kv_nm_form_take_others:
 * @from: a form of other fields, made of this one's setting
 *
 * Takes over what the fields of @from show.
 */
void kv_nm_form_take_others(KvNmForm *form, const KvNmForm *from);

/**
 * kv_nm_form_add:
 * @top: (inout): first free row of @grid
 *
 * Makes a field that shows the setting's value.
 * Returns: (transfer none): the field, which the form owns.
 */
KvNmField *kv_nm_form_add(KvNmForm *form, const KvSetting *row, KvNmFieldNote note, GtkGrid *grid,
                          int *top);

/**
 * kv_nm_form_set_used:
 * @used: %FALSE: the setting is taken out of the profile, and its field keeps what it shows; %TRUE:
 *     what the field shows is put back
 *
 * For fields that come and go, as only one of two ways to do a thing needs them.
 */
void kv_nm_form_set_used(KvNmForm *form, KvSettingId id, gboolean used);

/* Tells whoever made the form that its profile was changed past the fields. */
void kv_nm_form_tell_changed(KvNmForm *form);

/* Whether the profile's cipher is one of the native protocol. */
gboolean kv_nm_form_is_native(const KvNmForm *form);

/* Whether the protocol of the profile's cipher has a use for @row. */
gboolean kv_nm_form_has_use_for(const KvNmForm *form, const KvSetting *row);

/* (transfer none) (nullable): the field of @id. */
KvNmField *kv_nm_form_find(const KvNmForm *form, KvSettingId id);

/* Whether a field of the form that is used is marked. */
gboolean kv_nm_form_is_marked(const KvNmForm *form);

typedef enum {
    KV_NM_FORM_WHOLE,  /* all that the profile needs, whether there is a field for it or not */
    KV_NM_FORM_FIELDS, /* only what the form has fields for */
} KvNmFormCheck;

/* Whether the table's settings in the profile are allowed, complete and fit for each other. */
gboolean kv_nm_form_check(const KvNmForm *form, KvNmFormCheck what, GError **error) KV_MUST_USE;

/* Whether a form shows @row: one of a client that a desktop user's profile may have. */
gboolean kv_nm_form_has_row(const KvSetting *row);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(KvNmForm, kv_nm_form_free)
