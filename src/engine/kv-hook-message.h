/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-hook-answer.h"
#include "kv-hook-command.h"

#include <stdint.h>

/**
 * What goes over the socket of kcpvpn-hooks, a SOCK_SEQPACKET one: a connection is one run. The
 * daemon sends one packet with the command, the helper answers with one packet once the program
 * has ended or was refused. A packet is text, "key=value" and a NUL byte for each field:
 *
 *     command  kcpvpn-hook=1 program=… argument=…* KV_…=…* tunnel=…? peer=…?
 *     answer   exited=STATUS | signal=NUMBER | timeout=MILLISECONDS | refused=REASON
 *
 * Values are UTF-8 without control characters. A program is an absolute path or a bare name;
 * either is only compared with what stands in the hook folders.
 */
#define KV_HOOK_MESSAGE_MAX   65536 /* bytes of a packet */
#define KV_HOOK_PROGRAM_MAX   4095  /* bytes of a value, as the two below */
#define KV_HOOK_ARGUMENT_MAX  4095
#define KV_HOOK_VALUE_MAX     1023
#define KV_HOOK_ARGUMENTS_MAX 64

/**
 * kv_hook_message_from_command:
 *
 * Returns: (transfer full): a packet; or NULL and an error (%KV_ERROR_INVALID_SETTING) that says
 * what is too long or not text.
 */
GByteArray *kv_hook_message_from_command(const KvHookCommand *command, GError **error) KV_MUST_USE;

/* (transfer full): the command of a packet; NULL and %KV_ERROR_PROTOCOL if any byte of it is not as
 * above, if a variable is none of the documented ones or stands there twice. */
KvHookCommand *kv_hook_message_to_command(const uint8_t *bytes, gsize len,
                                          GError **error) KV_MUST_USE;

/* (transfer full): a packet; a reason is cut and mended to fit. */
GByteArray *kv_hook_message_from_answer(const KvHookAnswer *answer) KV_MUST_USE;

/* Fills @answer; clear it after. FALSE and %KV_ERROR_PROTOCOL if the packet is not as above. */
gboolean kv_hook_message_to_answer(const uint8_t *bytes, gsize len, KvHookAnswer *answer,
                                   GError **error) KV_MUST_USE;
