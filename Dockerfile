# The webhook's image: one static binary, a numeric user, no shell, nothing else. It runs with a read-only root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY certs ./certs
COPY cmd ./cmd
COPY pkg ./pkg
ARG VERSION=devel
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /webhook ./cmd/webhook

FROM scratch
COPY --from=build /webhook /webhook
USER 65532:65532
EXPOSE 10250 8081 8080
ENTRYPOINT ["/webhook"]
