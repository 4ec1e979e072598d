/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/**
 * KV_ERROR:
 *
 * The one error domain of the project. Messages say what failed, which value was wrong and what
 * is allowed, in a sentence a person can act on; they never hold a secret.
 */
#define KV_ERROR (kv_error_quark())

typedef enum {
    KV_ERROR_FAILED,            /* nothing below fits */
    KV_ERROR_INVALID_SETTING,   /* unknown key, bad value, or values that do not go together */
    KV_ERROR_NOT_SUPPORTED,     /* by this build, this kernel or this version */
    KV_ERROR_PERMISSION_DENIED, /* a right or capability is missing */
    KV_ERROR_NOT_FOUND,         /* a file, interface, bridge or host name */
    KV_ERROR_EXISTS,            /* a name or address is taken */
    KV_ERROR_TIMEOUT,           /* no answer in time */
    KV_ERROR_REFUSED,           /* the peer said no */
    KV_ERROR_EXHAUSTED,         /* no address, place or memory left */
    KV_ERROR_CONNECTION_LOST,   /* the peer fell silent or went away */
    KV_ERROR_PROTOCOL,          /* the peer broke the protocol */
    KV_ERROR_IO,                /* a system call failed */
    KV_ERROR_CANCELLED,
    KV_ERROR_INVALID_ARGUMENT, /* of a call on the bus */
    KV_ERROR_WRONG_STATE,      /* it cannot be done now: started already, not stopped yet, … */
    KV_ERROR_READ_ONLY,        /* what shall change is somebody else's to change */
    KV_ERROR_NOT_AUTHORIZED,   /* policy says no, or nobody is there to ask */
    KV_ERROR_AUTHENTICATION_REQUIRED,  /* allowed after a password that the caller did not offer */
    KV_ERROR_AUTHENTICATION_DISMISSED, /* the person did not give the password */
    KV_N_ERRORS,
} KvError;

GQuark kv_error_quark(void);

/**
 * kv_error_set_errno:
 * @error: (out) (optional): where to put the error
 * @errnum: an errno value
 * @format: what was being done, without the reason
 *
 * Sets @error to "<what>: <strerror>", with a code chosen from @errnum (EPERM and EACCES become
 * permission denied, ENOENT and ENODEV not found, …). Any thread.
 */
void kv_error_set_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);
