# The images of the webhook and of the agent, compiled here. Each is one static binary and a numeric user, with no shell
# and nothing else; both run with a read-only root.
#
#	docker build --target webhook --build-arg VERSION=v0.1.0 .
#
# `make images` does without this file's first stage: it takes binaries that are there (Dockerfile.binaries).
FROM --platform=$BUILDPLATFORM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY Makefile ./
COPY certs ./certs
COPY cmd ./cmd
COPY pkg ./pkg
ARG TARGETOS
ARG TARGETARCH
ARG VERSION=devel
RUN GOOS=${TARGETOS} GOARCH=${TARGETARCH} make build VERSION=${VERSION}

FROM scratch AS agent
ARG VERSION=devel
ARG REVISION
LABEL org.opencontainers.image.title="certwire agent" \
      org.opencontainers.image.description="Has the server next to it take up a renewed certificate, and shows that it is served" \
      org.opencontainers.image.source="https://github.com/certwire/certwire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /src/bin/agent /agent
USER 65532:65532
ENTRYPOINT ["/agent"]

# The last stage is what a build without --target makes.
FROM scratch AS webhook
ARG VERSION=devel
ARG REVISION
LABEL org.opencontainers.image.title="certwire webhook" \
      org.opencontainers.image.description="Takes cert-manager's certificates onto the wire, and keeps issuance within the CA's limits" \
      org.opencontainers.image.source="https://github.com/certwire/certwire" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /src/bin/webhook /webhook
USER 65532:65532
EXPOSE 10250 8081 8080
ENTRYPOINT ["/webhook"]
