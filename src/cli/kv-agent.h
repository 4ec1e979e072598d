/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "kv-macros.h"

#include <glib.h>

/**
 * KvAgent:
 *
 * polkit's agent for terminals, pkttyagent, which asks for the passwords that polkit wants of this
 * process. Not as a mere fallback behind a desktop's agent: polkit then finds none at all for
 * somebody who is in no login session.
 */
typedef struct _KvAgent KvAgent;

/* Starts the agent and waits until it is ready. */
KvAgent *kv_agent_start(GError **error) KV_MUST_USE;

/* Ends the agent, which puts the terminal in order, and frees @agent. */
void kv_agent_stop(KvAgent *agent);
