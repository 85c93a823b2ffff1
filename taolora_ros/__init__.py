"""Catches physical events on a robot's sensor streams with a 4-bit model.

Every import of the package's ROS messages runs this file, so it imports nothing.
"""

__version__ = '0.1.0'
