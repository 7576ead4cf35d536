# Node runs the TypeScript sources, so nothing is built. The image holds the production dependencies, the sources and gen/.
FROM node:24-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# The optional packages only contain Node, which the image already has.
RUN npm ci --omit=dev --omit=optional

FROM node:24-slim
ENV NODE_ENV=production KEYWRIGHT_HOST=0.0.0.0 KEYWRIGHT_DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY gen gen
COPY src src
COPY scripts/import.ts scripts/
COPY tools tools
RUN mkdir /data && chown node:node /data
USER node
VOLUME /data
EXPOSE 4430
HEALTHCHECK --interval=5s CMD ["node", "-e", "fetch('http://127.0.0.1:4430/health/alive').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts"]
