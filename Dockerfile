# syntax=docker/dockerfile:1
# Build: docker build -t larder .    Run: docker run --read-only --tmpfs /tmp -p 8081:8081 larder
# The service needs no writable file system, no root and no shell. The base image is Node 24.18.0; Renovate moves the digest. For another one:
#   docker buildx imagetools inspect node:24-bookworm-slim   →   --build-arg NODE_IMAGE=node:24-bookworm-slim@sha256:…
ARG NODE_IMAGE=node:24-bookworm-slim@sha256:6f7b03f7c2c8e2e784dcf9295400527b9b1270fd37b7e9a7285cf83b6951452d

FROM ${NODE_IMAGE} AS build
WORKDIR /build
ENV SCARF_ANALYTICS=false
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
# npm takes a peer that is also a dev dependency for a dev dependency, and Nest is both: the list goes first.
RUN npm run build && npm pkg delete devDependencies && npm prune --omit=dev --no-audit --no-fund && rm -rf node_modules/.cache

FROM ${NODE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="larder" \
      org.opencontainers.image.description="A cache in front of third-party REST APIs, GitHub's first" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV NODE_ENV=production PORT=8081
WORKDIR /larder
COPY --from=build --chown=root:root /build/package.json /build/LICENSE ./
COPY --from=build --chown=root:root /build/node_modules ./node_modules
COPY --from=build --chown=root:root /build/dist ./dist
USER node
EXPOSE 8081
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
  CMD ["node", "-e", "const s = process.env.TLS_CERT_FILE ? 'https' : 'http'; require(s).get(`${s}://127.0.0.1:${process.env.PORT}/health/live`, { rejectUnauthorized: false }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=32", "dist/src/main.js"]
