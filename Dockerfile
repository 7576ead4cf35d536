# Node runs the TypeScript sources. The image holds the production dependencies, the sources and gen/, and a bundle of the sources with
# compiled code, which is half of the time of a start. Without the bundle the sources run.
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

# rolldown, which makes the bundle, is a development dependency. The server that runs for some seconds leaves its compiled code, which
# serves the user that it runs as.
FROM dependencies AS bundle
RUN npm ci --ignore-scripts
COPY --chown=node:node gen gen
COPY --chown=node:node src src
RUN KEYWRIGHT_DATA_DIR=/tmp/keywright timeout 20 node src/start.js || [ $? -eq 124 ]
RUN test -f node_modules/.cache/keywright/bundles/current.json && ls -d node_modules/.cache/keywright/bundles/*/code-*

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
COPY --from=bundle --chown=root:root /app/node_modules/.cache/keywright node_modules/.cache/keywright
RUN chmod -R a+rX node_modules/.cache && mkdir -m 0700 /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4430
# The start period does not delay the state healthy: a server that answers is healthy at once.
HEALTHCHECK --interval=5s --start-period=15m CMD ["node", "-e", "fetch('http://127.0.0.1:4430/health/alive').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--disable-sigusr1", "src/start.js"]
