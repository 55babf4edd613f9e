# camtl in an image of its own, built from a clone of the repository:
#
#     docker build -t camtl .
#     docker build -t camtl-tested --target tested .      stops unless every test passes
#     docker build -t camtl-cuda --build-arg CUDA=1 .     with libtorch for NVIDIA's GPUs as well as for the CPU
#     docker run -v "$PWD:/work" camtl --data_dir /work/glue --output_dir /work/out …
#     docker run --gpus all -v "$PWD:/work" camtl-cuda …
#
# Every step is one of Scripts/container.sh, which runs by hand in a bare Debian or Ubuntu as well.

ARG SWIFT=6.1-bookworm

FROM swift:${SWIFT} AS build
ARG CUDA=
ENV CAMTL_CACHE_DIR=/var/cache/camtl
WORKDIR /src
COPY Scripts/container.sh Scripts/container.sh
RUN Scripts/container.sh packages
COPY . .
RUN Scripts/container.sh build "${CUDA}"
RUN Scripts/container.sh install /opt/camtl

FROM build AS tested
ARG CUDA=
RUN Scripts/container.sh test "${CUDA}"

FROM swift:${SWIFT}-slim
COPY --from=build /src/Scripts/container.sh /tmp/container.sh
RUN /tmp/container.sh runtime-packages && rm /tmp/container.sh
COPY --from=build /opt/camtl /opt/camtl
ENV LD_LIBRARY_PATH=/opt/camtl/lib
WORKDIR /work
ENTRYPOINT ["/opt/camtl/bin/camtl"]
