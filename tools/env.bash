# Source this file: it gives a shell in which `python`, `taolora` and the nodes run, whether
# ROS 2 is installed (and sourced) or comes from PyPI. `make setup` builds what it needs.
_taolora_root="$(builtin cd "$(dirname "${BASH_SOURCE[0]}")/.." >/dev/null && pwd)"
if [ ! -f "$_taolora_root/install/build.stamp" ] || [ ! -f "$_taolora_root/.venv/bin/activate" ]; then
  echo "error: $_taolora_root is not set up; run: make -C $_taolora_root setup" >&2
  unset _taolora_root
  return 1 2>/dev/null || exit 1
fi
. "$_taolora_root/.venv/bin/activate"
if [ -z "${ROS_DISTRO:-}" ]; then
  # ROS 2 from PyPI lives in .venv.
  export AMENT_PREFIX_PATH="$VIRTUAL_ENV" CMAKE_PREFIX_PATH="$VIRTUAL_ENV"
fi
# The ROS wheels add their libraries to LD_LIBRARY_PATH when Python starts, unless this variable
# says that it is done: it must be set while colcon's script asks Python which paths are missing,
# and must not be left over from another checkout afterwards.
export _ROS_WHEELS_BOOTSTRAP_COMPLETE=1
. "$_taolora_root/install/local_setup.bash"
unset _ROS_WHEELS_BOOTSTRAP_COMPLETE
# The sources come before their installed copies, so that an edit or a new file counts at once.
export PYTHONPATH="$_taolora_root${PYTHONPATH:+:$PYTHONPATH}"
unset _taolora_root
