"""What anyone may read: how this gateway is set up, and its texts."""

from __future__ import annotations

import time
from typing import Any, TypeVar

import msgspec
from litestar.handlers import HTTPRouteHandler

from newapi import __version__
from newapi.base.units import QUOTA_PER_USD
from newapi.ops import users
from newapi.server.routes.admin.auth import Call, Door, Reply
from newapi.server.runtime import Runtime
from newapi.store import options
from newapi.store.users import UserFilter

T = TypeVar("T")

_TEXTS = {
    "notice": "Notice",
    "about": "About",
    "home_page_content": "HomePageContent",
    "user-agreement": "legal.user_agreement",
    "privacy-policy": "legal.privacy_policy",
}
"""Pages whose text is an option: the path below `/api` -> the option."""
_STATUS: dict[str, tuple[str, Any]] = {
    "HeaderNavModules": ("HeaderNavModules", ""),
    "SidebarModulesAdmin": ("SidebarModulesAdmin", ""),
    "announcements": ("console_setting.announcements", []),
    "announcements_enabled": ("console_setting.announcements_enabled", True),
    "api_info": ("console_setting.api_info", []),
    "api_info_enabled": ("console_setting.api_info_enabled", True),
    "chats": ("Chats", []),
    "checkin_enabled": ("checkin_setting.enabled", False),
    "custom_currency_exchange_rate": ("general_setting.custom_currency_exchange_rate", 1.0),
    "custom_currency_symbol": ("general_setting.custom_currency_symbol", "¤"),
    "data_export_default_time": ("DataExportDefaultTime", "hour"),
    "default_collapse_sidebar": ("DefaultCollapseSidebar", False),
    "default_use_auto_group": ("DefaultUseAutoGroup", False),
    "demo_site_enabled": ("DemoSiteEnabled", False),
    "discord_client_id": ("discord.client_id", ""),
    "docs_link": ("general_setting.docs_link", ""),
    "email_verification": ("EmailVerificationEnabled", False),
    "enable_data_export": ("DataExportEnabled", True),
    "enable_drawing": ("DrawingEnabled", True),
    "enable_task": ("TaskEnabled", True),
    "faq": ("console_setting.faq", []),
    "faq_enabled": ("console_setting.faq_enabled", True),
    "footer_html": ("Footer", ""),
    "github_client_id": ("GitHubClientId", ""),
    "linuxdo_client_id": ("LinuxDOClientId", ""),
    "linuxdo_minimum_trust_level": ("LinuxDOMinimumTrustLevel", 0),
    "logo": ("Logo", ""),
    "mj_notify_enabled": ("MjNotifyEnabled", False),
    "oidc_authorization_endpoint": ("oidc.authorization_endpoint", ""),
    "oidc_client_id": ("oidc.client_id", ""),
    "passkey_allow_insecure": ("passkey.allow_insecure_origin", False),
    "passkey_attachment": ("passkey.attachment_preference", ""),
    "passkey_origins": ("passkey.origins", ""),
    "passkey_rp_id": ("passkey.rp_id", ""),
    "passkey_user_verification": ("passkey.user_verification", "preferred"),
    "password_login_enabled": ("PasswordLoginEnabled", True),
    "password_register_enabled": ("PasswordRegisterEnabled", True),
    "price": ("Price", 7.3),
    "quota_display_type": ("general_setting.quota_display_type", "USD"),
    "register_enabled": ("RegisterEnabled", False),
    "self_use_mode_enabled": ("SelfUseModeEnabled", False),
    "stripe_unit_price": ("StripeUnitPrice", 8.0),
    "system_name": ("SystemName", "newapi"),
    "telegram_bot_name": ("TelegramBotName", ""),
    "theme": ("theme.frontend", "classic"),
    "uptime_kuma_enabled": ("console_setting.uptime_kuma_enabled", True),
    "usd_exchange_rate": ("USDExchangeRate", 7.3),
    "wechat_qrcode": ("WeChatAccountQRCodeImageURL", ""),
}
"""The key of `/api/status` -> the option and its default, whose type says how its text is read."""
_ABSENT = (
    *("discord_oauth", "github_oauth", "linuxdo_oauth", "oidc_enabled", "passkey_login", "telegram_oauth"),
    *("turnstile_check", "wechat_login", "enable_batch_update"),
)
"""Ways to sign in, and other things, that this gateway does not have: it says so whatever the option is."""


def routes(runtime: Runtime) -> list[HTTPRouteHandler]:
    """Return the handlers."""
    door = Door(runtime)
    started_at = int(time.time())

    def status(call: Call) -> dict[str, Any]:
        """Return what clients have to know of this gateway before anybody signs in."""
        return {**_status(call), "start_time": started_at}

    return [
        door.get("/api/status", status),
        door.get("/api/status/test", test, "admin"),
        door.get("/api/setup", setup),
        *(door.get(f"/api/{path}", _text(option)) for path, option in _TEXTS.items()),
    ]


def _status(call: Call) -> dict[str, Any]:
    config = call.runtime.local.config
    said = options.read(call.db)
    found = {key: _value(said.get(option, ""), default) for key, (option, default) in _STATUS.items()}
    for panel in ("announcements", "api_info", "faq"):
        if not found[f"{panel}_enabled"]:
            del found[panel]
    return {
        **found,
        **dict.fromkeys(_ABSENT, False),
        "display_in_currency": found["quota_display_type"] != "TOKENS",
        "passkey_display_name": said.get("passkey.rp_display_name") or found["system_name"],
        "privacy_policy_enabled": bool(said.get("legal.privacy_policy")),
        "quota_per_unit": QUOTA_PER_USD,
        "server_address": said.get("ServerAddress") or config.server.public_url,
        "setup": _root_signs_in(call),
        "turnstile_site_key": "",
        "user_agreement_enabled": bool(said.get("legal.user_agreement")),
        "version": __version__,
    }


def test(call: Call) -> Reply:
    """Return whether the database answers."""
    call.door.option("Notice")
    return Reply(
        message="Server is running", extra={"http_stats": {"active_connections": call.runtime.gateway.in_flight}}
    )


def setup(call: Call) -> dict[str, Any]:
    """Return whether root has a password: `newapi user create root` gives it one, nobody does through the network."""
    ready = _root_signs_in(call)
    return {"status": ready, "root_init": ready, "database_type": "" if ready else call.db.dialect}


def _text(option: str) -> Any:
    def text(call: Call) -> str:
        return call.door.option(option)

    text.__doc__ = f"Return the text of the option {option}: Markdown, HTML or an address."
    return text


def _root_signs_in(call: Call) -> bool:
    return any(user.has_password for user in users.list_users(call.db, UserFilter(role="root", deleted=False))[0])


def _value(text: str, default: T) -> T:
    """Return an option's value from its text, read as what `default` is."""
    if not text:
        return default
    if isinstance(default, str):
        return text  # pyright: ignore[reportReturnType]  (T is str)
    try:
        return msgspec.json.decode(text, type=type(default))
    except msgspec.DecodeError:
        return default
