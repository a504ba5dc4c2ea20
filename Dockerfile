# One image for each of apps/: docker build --build-arg APP=gateway -t novacron/gateway:0.1.0 .
# Plain instructions only, so that engines without BuildKit build it as well.
ARG NODE_IMAGE=node:24-bookworm-slim

# pnpm and turbo out of the npm registry, and every package of the lockfile: the same layers for all apps.
FROM ${NODE_IMAGE} AS store
ENV CI=true TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1
WORKDIR /build
COPY package.json pnpm-workspace.yaml pnpm-lock.yaml ./
RUN npm install --global --no-audit --no-fund \
      "$(node -p "require('./package.json').packageManager")" \
      "turbo@$(sed -n 's/^  turbo: //p' pnpm-workspace.yaml)" \
 && pnpm fetch

# The part of the workspace that the app is made of.
FROM store AS pruned
ARG APP
COPY . .
RUN test -n "${APP}" || { echo 'which app? --build-arg APP=gateway' >&2; exit 1; } \
 && turbo prune "@novacron/${APP}" --docker

FROM store AS build
ARG APP
COPY --from=pruned /build/out/json/ ./
RUN pnpm install --frozen-lockfile --offline
COPY --from=pruned /build/out/full/ ./
COPY tsconfig.base.json ./
# Injected, packages of the workspace are copied into the result, by the same lockfile.
RUN pnpm turbo build --filter="@novacron/${APP}" \
 && pnpm --config.inject-workspace-packages=true --filter "@novacron/${APP}" deploy --prod --offline /app \
 && rm -rf /app/src /app/node_modules/.pnpm/@novacron+*/node_modules/@novacron/*/src

# The same layer for all apps, again. What an agent keeps lies in /var/lib/novacron: a new volume mounted there belongs
# to the user.
FROM ${NODE_IMAGE} AS runtime
RUN apt-get update -q \
 && apt-get install -y -q --no-install-recommends tini \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/apt /var/log/dpkg.log \
 && install -d -o 1000 -g 1000 /var/lib/novacron

FROM runtime
ARG APP
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="novacron/${APP}" \
      org.opencontainers.image.description="NovaCron: a control plane for fleets of virtual machines" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /app
COPY --from=build /app/ ./
ENV NODE_ENV=production NOVACRON_OPS_HOST=0.0.0.0 NOVACRON_OPS_PORT=9100
USER 1000:1000
EXPOSE 8080 9100
# /ready says 503 while something that the service needs is missing.
HEALTHCHECK --interval=5s --timeout=5s --start-period=60s --retries=6 CMD ["bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/$NOVACRON_OPS_PORT && printf 'GET /ready HTTP/1.0\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["tini", "--"]
CMD ["node", "--max-semi-space-size=4", "dist/main.js"]
