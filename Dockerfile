# syntax=docker/dockerfile:1
FROM node:26-trixie-slim AS deps
WORKDIR /app
COPY package.json package-lock.json ./
# The image has Node.js 26 and Debian's ffmpeg, so the optional packages (another Node.js, a bundled ffmpeg) stay out.
RUN --mount=type=cache,target=/root/.npm npm ci --omit=dev --omit=optional --ignore-scripts

FROM node:26-trixie-slim
# The drivers are for the profile vaapi; Intel's exists for amd64 only. NVIDIA's come from the host with its container toolkit.
RUN apt-get update \
 && apt-get install -y --no-install-recommends ffmpeg ca-certificates tini mesa-va-drivers \
    $([ "$(dpkg --print-architecture)" = amd64 ] && echo intel-media-va-driver) \
 && rm -rf /var/lib/apt/lists/* \
 # a new volume takes this mode over, so that the data may belong to whomever PUID names
 && install -d -m 1777 /data
WORKDIR /app
ENV NODE_ENV=production NODE_COMPILE_CACHE=/tmp/node-cache CODECSHIFT_DATA_DIR=/data
COPY --from=deps /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY node ./node
COPY views ./views
COPY static ./static
COPY migrations ./migrations
COPY scripts/healthcheck.cjs ./scripts/healthcheck.cjs
USER node
VOLUME ["/data"]
EXPOSE 8265 8266 8267 8268
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 CMD ["node", "scripts/healthcheck.cjs"]
ENTRYPOINT ["/usr/bin/tini", "--"]
CMD ["node", "node/main.ts", "run"]
