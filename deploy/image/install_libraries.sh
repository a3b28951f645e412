#!/bin/sh
# install_libraries.sh TARGET DEVICE TORCH_CPU_INDEX [TORCH_CPU_SHA256]
# Makes the environment TARGET from the requirements beside this file, without pip in it.
set -eu
target=$1 device=$2 torch_cpu_index=$3 torch_cpu_sha256=${4:-}
here=$(dirname "$0")

python -m venv --without-pip "$target"
# --no-deps: the requirements are complete; --only-binary: nothing is compiled.
pip_install() {
    python -m pip --python "$target/bin/python" --disable-pip-version-check \
        install --no-cache-dir --no-deps --only-binary :all: "$@"
}

pip_install --require-hashes -r "$here/requirements-common.txt"
case $device in
gpu)
    pip_install --require-hashes -r "$here/requirements-cuda.txt"
    ;;
cpu)
    torch=$(sed -n 's/^\(torch==[^ ]*\) .*/\1/p' "$here/requirements-cuda.txt")
    if [ -n "$torch_cpu_sha256" ]; then
        printf '%s --hash=sha256:%s\n' "$torch" "$torch_cpu_sha256" > "$here/requirements-torch.txt"
        pip_install --require-hashes --index-url "$torch_cpu_index" -r "$here/requirements-torch.txt"
    else
        pip_install --index-url "$torch_cpu_index" "$torch"
    fi
    ;;
*)
    echo "DEVICE must be cpu or gpu, not $device" >&2
    exit 2
    ;;
esac
