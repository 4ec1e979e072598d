/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include "kv-error.h"

#include <errno.h>
#include <stdarg.h>

/* Not G_DEFINE_QUARK(), whose variable is not atomic: workers make errors, too. */
GQuark
kv_error_quark(void)
{
    static gint quark;
    GQuark value = (GQuark) g_atomic_int_get(&quark);

    if (value == 0) {
        value = g_quark_from_static_string("kv-error-quark");
        g_atomic_int_set(&quark, (gint) value);
    }
    return value;
}

static KvError
code_from_errno(int errnum)
{
    switch (errnum) {
    case EPERM:
    case EACCES:
        return KV_ERROR_PERMISSION_DENIED;
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return KV_ERROR_NOT_FOUND;
    case EEXIST:
    case EADDRINUSE:
    case EBUSY:
        return KV_ERROR_EXISTS;
    case EOPNOTSUPP:
    case ENOSYS:
    case EAFNOSUPPORT:
        return KV_ERROR_NOT_SUPPORTED;
    case ETIMEDOUT:
        return KV_ERROR_TIMEOUT;
    case EAGAIN:
    case ENOMEM:
    case ENOSPC:
    case EMFILE:
    case ENFILE:
        return KV_ERROR_EXHAUSTED;
    default:
        return KV_ERROR_IO;
    }
}

void
kv_error_set_errno(GError **error, int errnum, const char *format, ...)
{
    g_autofree char *what = NULL;
    va_list args;

    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    g_set_error(error, KV_ERROR, code_from_errno(errnum), "%s: %s", what, g_strerror(errnum));
}
