# Node runs the TypeScript sources, so nothing is built. The image holds the production dependencies, the sources and gen/.
#
# The image is named by its exact version. A tag can be moved, a digest cannot. Look up the digest in your registry:
#
#   docker buildx imagetools inspect node:24.21.0-slim
#   docker build --build-arg NODE_IMAGE=node:24.21.0-slim@sha256:... .
ARG NODE_IMAGE=node:24.21.0-slim

FROM ${NODE_IMAGE} AS dependencies
RUN mkdir /app && chown node:node /app
# Nothing that npm installs runs as root, and no install script runs at all: none of the dependencies needs one.
USER node
WORKDIR /app
COPY --chown=node:node package.json package-lock.json .npmrc ./
# The optional packages (node-*) only bring Node, which the image has. The page at /docs needs swagger-ui-dist, which is not optional.
RUN npm ci --omit=dev --omit=optional --ignore-scripts

FROM ${NODE_IMAGE}
ENV NODE_ENV=production KEYWRIGHT_HOST=0.0.0.0 KEYWRIGHT_DATA_DIR=/data
WORKDIR /app
# Owned by root, so that the service cannot change its own code.
COPY --from=dependencies --chown=root:root /app/node_modules node_modules
COPY package.json ./
COPY gen gen
COPY src src
COPY scripts/import.ts scripts/
COPY tools tools
# Modules are linked and compiled once, here, which takes most of the time of a start. What is kept then belongs to root like the code, and
# every user may read it.
RUN mkdir -p node_modules/.cache/keywright && chown node:node node_modules/.cache/keywright
USER node
RUN ["node", "src/start.js", "--version"]
USER root
RUN chown -R root:root node_modules/.cache && chmod -R a+rX node_modules/.cache && mkdir -m 0700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4430
HEALTHCHECK --interval=5s CMD ["node", "-e", "fetch('http://127.0.0.1:4430/health/alive').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--disable-sigusr1", "src/start.js"]
