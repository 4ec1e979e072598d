/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * _() and N_() for translated text, looked up in the project's own domain. Needs config.h first.
 * A program binds the domain and sets the locale; one that does neither speaks English.
 */
#include <glib/gi18n-lib.h>
