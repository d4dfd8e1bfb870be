"""A first configuration: for the keys that the environment has, with the files to deploy it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec import Struct

Deployment = Literal["compose", "systemd", "kubernetes"]


class Known(Struct, frozen=True):
    """A variable in which people keep a provider's key."""

    variable: str
    type: str
    models: tuple[str, ...]


KNOWN: tuple[Known, ...] = (
    Known("OPENAI_API_KEY", "openai", ("gpt-*", "o1*", "o3*", "o4*", "text-embedding-*")),
    Known("ANTHROPIC_API_KEY", "anthropic", ("claude-*",)),
    Known("GEMINI_API_KEY", "gemini", ("gemini-*",)),
    Known("GOOGLE_API_KEY", "gemini", ("gemini-*",)),
    Known("DEEPSEEK_API_KEY", "deepseek", ("deepseek-*",)),
    Known("MISTRAL_API_KEY", "mistral", ("mistral-*", "codestral-*")),
    Known("XAI_API_KEY", "xai", ("grok-*",)),
    Known("MOONSHOT_API_KEY", "moonshot", ("kimi-*", "moonshot-*")),
    Known("DASHSCOPE_API_KEY", "ali", ("qwen*",)),
    Known("ZHIPUAI_API_KEY", "zhipu_v4", ("glm-*",)),
    Known("OPENROUTER_API_KEY", "openrouter", ("*/*",)),
    Known("PERPLEXITY_API_KEY", "perplexity", ("sonar*",)),
    Known("SILICONFLOW_API_KEY", "siliconflow", ("*/*",)),
)
IGNORED = ("newapi.db", "newapi.db-*", "newapi.key", "newapi.sock", "journal/", ".env", "tokens.toml")
"""What the gateway makes beside its configuration, and never belongs into version control."""


def found(environment: Mapping[str, str]) -> list[Known]:
    """Return the providers whose key `environment` has, one of each type."""
    there: dict[str, Known] = {}
    for known in KNOWN:
        if environment.get(known.variable):
            there.setdefault(known.type, known)
    return list(there.values())


def files(keys: Sequence[Known], deployments: Sequence[Deployment] = ()) -> dict[str, str]:
    """Return the files of a first gateway: name -> text, without `.gitignore`.

    Args:
        keys: The providers to declare.
        deployments: What it is to be deployed with.
    """
    is_contained = bool({"compose", "kubernetes"} & set(deployments))
    told = {"config.toml": _config(keys, "0.0.0.0:3000" if is_contained else "127.0.0.1:3000")}
    variables = [known.variable for known in keys] or ["OPENAI_API_KEY"]
    makers = {
        "compose": ("compose.yaml", _compose),
        "systemd": ("newapi.service", _systemd),
        "kubernetes": ("kubernetes.yaml", _kubernetes),
    }
    for deployment in dict.fromkeys(deployments):
        name, make = makers[deployment]
        told[name] = make(variables)
    return told


def ignored(before: str) -> str:
    """Return a `.gitignore` that says what `before` says, and what the gateway makes."""
    lines = before.splitlines()
    missing = [line for line in IGNORED if line not in lines]
    return "".join(f"{line}\n" for line in (*lines, *missing))


def _config(keys: Sequence[Known], listen: str) -> str:
    channels = "\n".join(_channel(known) for known in keys)
    if not keys:
        channels = (
            "# The environment has no key that is known. Take the signs away for one that you have.\n\n"
            + "".join(f"#{line}\n" for line in _channel(KNOWN[0]).splitlines())
        )
    return _HEAD.format(listen=listen) + channels + _TOKENS


def _channel(known: Known) -> str:
    models = ", ".join(f'"{name}"' for name in known.models)
    return f'[channels.{known.type}]\ntype = "{known.type}"\nkey = "env:{known.variable}"\nmodels = [{models}]\n'


_HEAD = """\
#:schema ./config.schema.json
# A gateway. It holds no secret, only where each one is, so that it can live in version control.
#
#   newapi validate      every mistake at once
#   newapi diff          what an apply would change
#   newapi apply         change it; the keys of new tokens are shown once
#   newapi serve
#
# `newapi schema > config.schema.json` lets an editor complete it; newapi-config(5) tells everything.

version = 1

[server]
listen = "{listen}"
database = "sqlite:///newapi.db"       # beside this file; or a reference to a postgresql:// URL: "env:SQL_DSN"
master_key = "file:newapi.key"         # made at the first start: keep a copy of it with the backups

[groups.default]
ratio = 1.0                            # what its users pay of the price

# Channels: upstream accounts. Several that serve a model share it; the one with the higher `priority` goes first.

"""
_TOKENS = """
# Tokens: what callers show.

[tokens.first]
quota = "$5"                           # or unlimited = true
#expires = "90d"
#models = ["gpt-4o*"]
"""


def _compose(variables: Sequence[str]) -> str:
    environment = "".join(f"      {name}:\n" for name in variables)
    return f"""\
# The first time: docker compose run --rm newapi newapi apply --yes
services:
  newapi:
    image: newapi                      # the image that you have built
    command: newapi serve
    user: "${{UID:-1000}}:${{GID:-1000}}"
    environment:                       # values come from the shell, or from .env
      NEWAPI_CONFIG: /data/config.toml
{environment}\
    ports: ["127.0.0.1:3000:3000"]
    volumes: [".:/data"]
    healthcheck:
      test: ["CMD", "newapi", "health", "--ready"]
      interval: 10s
      timeout: 5s
      start_period: 10s
    stop_grace_period: 40s             # requests under way may finish
    restart: unless-stopped
"""


def _systemd(variables: Sequence[str]) -> str:
    return f"""\
# sudo install -m 644 newapi.service /etc/systemd/system/
# sudo install -D -m 600 config.toml /var/lib/newapi/config.toml
# /etc/newapi.env, mode 600, has {", ".join(variables)}
# The first time, before it is started:
#   sudo systemd-run -P -p DynamicUser=yes -p StateDirectory=newapi -p EnvironmentFile=/etc/newapi.env \\
#     newapi apply --config /var/lib/newapi/config.toml --yes
[Unit]
Description=LLM gateway
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=newapi serve
ExecReload=kill -HUP $MAINPID
Environment=NEWAPI_CONFIG=%S/newapi/config.toml
EnvironmentFile=/etc/newapi.env
DynamicUser=yes
StateDirectory=newapi
StateDirectoryMode=0700
Restart=on-failure
TimeoutStopSec=40
UMask=0077
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateDevices=yes
PrivateUsers=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
SystemCallArchitectures=native
SystemCallErrorNumber=EPERM
SystemCallFilter=@system-service
SystemCallFilter=~@privileged

[Install]
WantedBy=multi-user.target
"""


def _kubernetes(variables: Sequence[str]) -> str:
    keys = " ".join(f'--from-literal={name}="${name}"' for name in variables)
    return f"""\
# kubectl create configmap newapi --from-file=config.toml
# kubectl create secret generic newapi {keys}
# kubectl apply -f kubernetes.yaml
# kubectl exec deploy/newapi -- newapi apply --yes
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: newapi}}
spec:
  accessModes: [ReadWriteOnce]
  resources: {{requests: {{storage: 5Gi}}}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: newapi}}
spec:
  replicas: 1                          # more need a PostgreSQL or MySQL database and `server.cache`
  strategy: {{type: Recreate}}
  selector: {{matchLabels: {{app: newapi}}}}
  template:
    metadata: {{labels: {{app: newapi}}}}
    spec:
      terminationGracePeriodSeconds: 40  # requests under way may finish
      securityContext: {{runAsNonRoot: true, runAsUser: 1000, fsGroup: 1000}}
      containers:
        - name: newapi
          image: newapi                # the image that you have built
          command: [newapi, serve]
          env: [{{name: NEWAPI_CONFIG, value: /data/config.toml}}]
          envFrom: [{{secretRef: {{name: newapi}}}}]
          ports: [{{containerPort: 3000}}]
          livenessProbe: {{httpGet: {{path: /health/live, port: 3000}}}}
          readinessProbe: {{httpGet: {{path: /health/ready, port: 3000}}}}
          volumeMounts:
            - {{name: data, mountPath: /data}}
            - {{name: config, mountPath: /data/config.toml, subPath: config.toml, readOnly: true}}
      volumes:
        - {{name: data, persistentVolumeClaim: {{claimName: newapi}}}}
        - {{name: config, configMap: {{name: newapi}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: newapi}}
spec:
  selector: {{app: newapi}}
  ports: [{{port: 80, targetPort: 3000}}]
"""
