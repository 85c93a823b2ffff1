"""ROS 2 nodes: wires, no arithmetic."""
