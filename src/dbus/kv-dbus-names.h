/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* Every name that the outside sees on the bus. */

#define KV_DBUS_NAME         "org.kcpvpn"
#define KV_DBUS_PATH         "/org/kcpvpn"
#define KV_DBUS_TUNNEL_PATH  KV_DBUS_PATH "/tunnel" /* "/N" follows */
#define KV_DBUS_CLIENT_INFIX "/client"              /* "/M" follows, behind the tunnel's path */

#define KV_DBUS_MANAGER_INTERFACE "org.kcpvpn.Manager1"
#define KV_DBUS_TUNNEL_INTERFACE  "org.kcpvpn.Tunnel1"
#define KV_DBUS_CLIENT_INTERFACE  "org.kcpvpn.Client1"

/* polkit actions, and the details that rules can look up. */
#define KV_DBUS_ACTION_CREATE         "org.kcpvpn.tunnel.create"
#define KV_DBUS_ACTION_MODIFY         "org.kcpvpn.tunnel.modify"
#define KV_DBUS_ACTION_CONTROL        "org.kcpvpn.tunnel.control"
#define KV_DBUS_ACTION_CONTROL_LISTED "org.kcpvpn.tunnel.control-listed"
#define KV_DBUS_ACTION_DELETE         "org.kcpvpn.tunnel.delete"
#define KV_DBUS_ACTION_SECRETS        "org.kcpvpn.tunnel.secrets"
#define KV_DBUS_ACTION_HOOKS          "org.kcpvpn.tunnel.hooks"
#define KV_DBUS_ACTION_DISCONNECT     "org.kcpvpn.client.disconnect"
#define KV_DBUS_DETAIL_TUNNEL         "tunnel"
#define KV_DBUS_DETAIL_CLIENT         "client"

/* Tunnel1.State */
#define KV_DBUS_STATE_STOPPED    "stopped"
#define KV_DBUS_STATE_CONNECTING "connecting"
#define KV_DBUS_STATE_CONNECTED  "connected"
#define KV_DBUS_STATE_WAITING    "waiting"
#define KV_DBUS_STATE_STOPPING   "stopping"
#define KV_DBUS_STATE_FAILED     "failed"

/* Options of methods. */
#define KV_DBUS_OPTION_TRANSIENT "transient" /* b: CreateTunnel, ImportTunnel */
#define KV_DBUS_OPTION_NAME      "name"      /* s: ImportTunnel */
#define KV_DBUS_OPTION_SECRETS   "secrets"   /* a{sv}: Start */
#define KV_DBUS_OPTION_CONFIGURE "configure" /* b: Start */
#define KV_DBUS_OPTION_UNSET     "unset"     /* as: Update */

/* Milliseconds between two statistics, Tunnel1.Watch. */
#define KV_DBUS_WATCH_MIN_MS 100
#define KV_DBUS_WATCH_MAX_MS 3600000
